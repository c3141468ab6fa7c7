"""The terminal screen of ``indelible ui``. It sees the protocol alone; only who starts it loads Textual."""
