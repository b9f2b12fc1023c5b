"""The gallery: ten sick runs to diagnose."""
