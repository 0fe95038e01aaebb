"""A server from its start until it has answered one request: ``--ckpt CHECKPOINT`` and other flags of ``serve.py``."""

import json
import re
import subprocess
import sys
import urllib.request


def main() -> None:
    """Run the command."""
    command = [sys.executable, "-m", "litmlp", "serve", "--port", "0", *sys.argv[1:]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603 (our own command)
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found is not None
        body = json.dumps({"sample": [0, 1]}).encode()
        request = urllib.request.Request(f"{found[0]}/predict", body, {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request) as response:  # noqa: S310 (the address is our own server's)
            assert json.load(response)["answers"]
        server.kill()


if __name__ == "__main__":
    main()
