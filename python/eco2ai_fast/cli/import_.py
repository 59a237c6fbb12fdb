"""`eco2ai-fast import emissions.csv`: records from the files that eco2AI and CodeCarbon left behind."""

from __future__ import annotations

import click

from . import foreign, output


@click.command("import")
@click.argument("paths", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Taken for the sake of one command line: records are JSON.")
@click.option("-o", "--output", "path", metavar="FILE", help="Write there instead of to standard output.")
def command(paths: tuple[str, ...], *, as_json: bool, path: str | None) -> None:
    """Make records, one line of JSON each, from CSV files of eco2AI and CodeCarbon.

    Numbers are taken as they stand, and what the file does not tell stays unknown. Rows of one run_id of CodeCarbon
    hold the run so far, so the longest of them is taken and nothing is summed.

    \b
    eco2ai-fast import emissions.csv -o old.jsonl
    eco2ai-fast report old.jsonl --by month
    eco2ai-fast reprice old.jsonl --zones FR,DE
    """
    try:
        found = [one for name in paths for one in foreign.read(name)]
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    text = "".join(output.as_json(one) for one in found)
    if path:
        output.write(path, text)
    else:
        click.echo(text, nl=False)
