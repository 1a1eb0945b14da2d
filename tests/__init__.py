"""The tests of costctl."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
