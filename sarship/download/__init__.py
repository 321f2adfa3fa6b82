"""Files over HTTP: resumed, verified, atomic."""
