"""Backups: a store's log in segments that never change, and a manifest that names them, in a folder or a bucket.

``manifest.py`` says what a backup holds and which segments an increment makes anew; ``places.py`` and ``bucket.py`` are
where it is kept; ``taking.py`` makes one; ``reading.py`` reads one back; ``readers.py`` has how far groups and relays
had come.
"""
