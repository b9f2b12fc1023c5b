"""The studio: terrain, fit and graph in the browser, drawn there, computed here by the one engine."""
