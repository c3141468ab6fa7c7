"""Indelible under the interfaces of other libraries, one package or module each. Each needs what its extra brings."""
