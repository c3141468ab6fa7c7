"""pytest fixtures for the tests of services that use Indelible."""
