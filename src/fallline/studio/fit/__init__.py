"""The fit view: points and the curve that descends on them, in data space and in parameter space."""
