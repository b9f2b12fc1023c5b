"""A worker that does not get on ends, with a sentence, instead of waiting for ever."""

from __future__ import annotations
