"""Derivatives measured by differences, and the check of a gradient against them."""

from fallline.gradients.check import Coordinate, GradientCheck, check_gradient
from fallline.gradients.numerical import (
    ErrorCurve,
    Estimate,
    TangentLine,
    derivative,
    error_against_h,
    gradient,
    hessian,
    jacobian,
    partial_derivative,
    tangent_line,
)

__all__ = [
    "Coordinate",
    "ErrorCurve",
    "Estimate",
    "GradientCheck",
    "TangentLine",
    "check_gradient",
    "derivative",
    "error_against_h",
    "gradient",
    "hessian",
    "jacobian",
    "partial_derivative",
    "tangent_line",
]
