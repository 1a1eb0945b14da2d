"""Entry point; kept free of imports so that `--help` answers at once."""


def main() -> None:
    """Run the command line and leave with its exit code."""
    import gc  # noqa: PLC0415

    gc.set_threshold(1_000_000)  # imports and tables are no cycles; looking for some once took 40 ms
    try:
        from costctl.cli import run  # noqa: PLC0415  (worker processes re-import this module)

        code = run()
    except KeyboardInterrupt:  # before `run` could take it: nothing was begun
        code = 130
    raise SystemExit(code)


if __name__ == "__main__":
    main()
