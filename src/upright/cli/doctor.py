"""``upright doctor``: what works on this machine, what does not, and how to mend it."""

from __future__ import annotations

import json
import sys

import click


@click.command("doctor", short_help="Examine what works on this machine.")
@click.option("--model", metavar="FOLDER", help="Examine this model folder instead of the default model.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object with all findings.")
def command(model: str | None, as_json: bool) -> None:
    """Examine processor, memory, runtimes, GPU, formats, model and engines.

    \b
    Exit codes: 0 nothing is wrong, 1 there is a problem; each problem has its remedy.
    """
    from ..doctor import examine

    findings = examine(model)
    problems = sum(finding.state == "problem" for finding in findings)
    if as_json:
        click.echo(json.dumps({"problems": problems, "findings": [f.to_dict() for f in findings]}, indent=2))
    else:
        colours = {"ok": "green", "note": "yellow", "problem": "red"}
        for finding in findings:
            remedy = f"\n{'':28}{finding.remedy}" if finding.remedy else ""
            click.echo(
                f"{click.style(f'{finding.state:<9}', fg=colours[finding.state])}"
                f"{finding.topic:<18} {finding.text}{remedy}"
            )
        click.echo(f"{problems} problem{'s' * (problems != 1)}")
    sys.exit(1 if problems else 0)
