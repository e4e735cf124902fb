"""The JSON API, /api/v1: what pages show, for programs.

request ─ parameters ─ answers (in a thread, through the queue of all visitors) ─ JSON or SVG with an ETag
                     └ what is wrong with it ─ problems (RFC 9457)
"""
