"""Tables: reading them, learning how to encode them, splitting them, and the bundled sets."""
