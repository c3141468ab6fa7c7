"""Indelible measured beside other event stores: in turn, on the same machine, and with syncs on both sides."""
