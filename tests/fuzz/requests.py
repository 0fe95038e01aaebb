class Requests:
    def __init__(self, folder, base): pass
    def close(self): return []
