"""The HTTP interface of a trained model, as an ASGI application."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

import litmlp
from litmlp.model.network import Network
from litmlp.server.api import ERRORS, Answers, Health, ModelCard, predict_body
from litmlp.server.card import card_of
from litmlp.server.guard import Guard
from litmlp.server.service import Service

SCRIPTS = ("page", "docs", "drawing", "files", "inputs", "plane", "rows", "fields", "whatif")
PAGE = {"/": "index.html", "/docs": "docs.html", "/style.css": "style.css", "/icon.svg": "icon.svg"} | {
    f"/{name}.js": f"{name}.js" for name in SCRIPTS
}
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def make_app(network: Network, checkpoint: Path, hosts: set[str] | None) -> FastAPI:
    """The application.

    Args:
        network: answers.
        checkpoint: the file that the model comes from.
        hosts: the names under which the server may be addressed; None for all.
    """
    service = Service(network)
    app = FastAPI(
        title=f"LitMLP: {network.spec.task}",
        version=litmlp.__version__,
        docs_url=None,  # FastAPI's own page loads its scripts from a server elsewhere
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: in_one_sentence},
    )
    app.add_middleware(Guard, hosts=hosts)
    app.add_api_route(
        "/predict",
        service.predict,
        methods=["POST"],
        summary="Answer samples, rows or an image",
        responses={200: {"model": Answers}, **ERRORS},
        openapi_extra={"requestBody": predict_body(network.spec)},
    )
    card = card_of(network, checkpoint)

    async def model_card() -> ModelCard:
        """What is served."""
        return card

    async def health() -> Health:
        """Whether the server answers."""
        return Health(status="ok")

    app.add_api_route("/model", model_card, summary="What is served")
    app.add_api_route("/health", health, summary="Whether the server answers")
    for path, name in PAGE.items():
        app.add_api_route(path, page(name), include_in_schema=False)
    return app


def page(name: str) -> Any:
    """A route that gives a file of the page, which is read once: so no request reaches the file system."""
    content = (files("litmlp.server") / "page" / name).read_bytes()
    kind = TYPES[Path(name).suffix] + "; charset=utf-8"

    async def route() -> Response:
        return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})

    return route


async def in_one_sentence(request: Request, error: Exception) -> Response:
    """The answer to a request that is refused, also by FastAPI itself."""
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == 404:
        detail = "there is nothing at this path: see /docs"
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        detail = f"this path is for {allowed} only" if allowed else "this path isn't for this method"
    return JSONResponse({"detail": detail}, error.status_code, error.headers)
