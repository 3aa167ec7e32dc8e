"""Pages for a browser that need no network: everything in them is in one file.

- `assemble`: a page from its template in `assets/`, with style sheets, scripts and data put in.
- `replay`: episodes to play, scrub and compare.
- `dashboard`, `server`: all runs under a folder while they train, served on this machine alone.
"""
