"""Options of all commands that take pictures, of those that also correct them, and what the options describe."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..decide import DEFAULT_EFFORT, EFFORT_HELP, efforts
from ..engines import ENGINES
from ..errors import UsageError
from ..limits import Limits

if TYPE_CHECKING:
    from ..correction.corrector import Corrector
    from ..correction.writer import Writer
    from ..detector import Detector
    from ..turns import Fill
    from .by_hand import ByHand

F = TypeVar("F", bound=Callable[..., Any])
#: What `--sidecar` takes: the name of a sidecar begins with the picture's whole name, or with that up to its suffix.
_SIDECARS = ("full", "stem")


def _bands(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, int, int] | None:
    if text is None:
        return None
    try:
        red, green, blue = (int(number) for number in text.split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not three numbers, as 4,3,2") from None
    return red, green, blue


def _pages(context: click.Context, parameter: click.Parameter, text: str | None) -> list[int] | None:
    if text is None:
        return None
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if (
            not first.isdecimal()
            or not (last or first).isdecimal()
            or not 1 <= int(first) <= int(last or first) < 10**6
        ):
            raise click.BadParameter(f"{text!r} are no pages; they count from 1, as 1,3-5")
        found.update(range(int(first) - 1, int(last or first)))
    return sorted(found)


def _limits(context: click.Context, parameter: click.Parameter, max_memory_mb: float | None) -> Limits:
    return Limits(max_memory_mb=max_memory_mb) if max_memory_mb else Limits()


def _sidecar(context: click.Context, parameter: click.Parameter, form: str | None) -> str | None:
    if form not in (None, *_SIDECARS):
        # The option takes the word behind it, which may have been meant as a picture.
        cause = f"{form!r} is neither {' nor '.join(_SIDECARS)}"
        raise click.BadParameter(f"{cause}; write --sidecar full, or put --sidecar behind the pictures")
    return form


def _colour(context: click.Context, parameter: click.Parameter, when: str) -> None:
    if when == "auto":
        # https://no-color.org; click itself leaves colours out where the output is no terminal.
        context.color = False if os.environ.get("NO_COLOR") else None
    else:
        context.color = when == "always"


_PROMISES = (
    click.option(
        "--careful", "promise", flag_value="careful", help="Turn only what is surest: the fewest wrong turns."
    ),
    click.option("--balanced", "promise", flag_value="balanced", default="balanced", help="The default."),
)

_PICTURES = (
    click.argument("sources", nargs=-1, type=click.Path(path_type=str, allow_dash=True)),
    click.option("--list", "lists", multiple=True, metavar="FILE", help="A file with one source a line."),
    click.option(
        "--exclude",
        multiple=True,
        metavar="GLOB",
        help="Pass over files and folders of such names, as .uprightignore does; with a slash, such paths.",
    ),
    *_PROMISES,
    click.option("--best", "promise", flag_value="best", help="Answer always, whatever the confidence."),
    click.option("--model", metavar="FOLDER", help="Path to a model folder, or the name of a bundled model."),
    click.option(
        "--engine",
        metavar="NAME",
        default="onnx",
        show_default=True,
        help=f"{', '.join(ENGINES)}, or auto, the fastest here. After a colon what to run on, or the precision:"
        " onnx:cuda, openvino:bf16.",
    ),
    click.option(
        "--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Threads of one engine call."
    ),
    click.option(
        "--workers", type=click.IntRange(1, 256), help="Pictures decoded side by side; by default one a processor."
    ),
    click.option(
        "--effort",
        type=click.IntRange(0, efforts()[-1]),
        default=DEFAULT_EFFORT,
        show_default=True,
        help=EFFORT_HELP,
    ),
    click.option(
        "--together/--no-together",
        default=None,
        help="Decide files with running numbers together: scans of one job, photographs of one roll. By default only"
        " the pages of one file are.",
    ),
    click.option(
        "--tilt",
        is_flag=True,
        help="Also tell by how many degrees, clockwise, text has to be straightened after the turn.",
    ),
    click.option(
        "--mirror",
        is_flag=True,
        help="Also tell whether left and right are exchanged, as in a slide scanned from its wrong side.",
    ),
    click.option("--budget-ms", type=float, metavar="MS", help="Take no further look after this time."),
    click.option(
        "--bands",
        metavar="R,G,B",
        callback=_bands,
        help="Of pictures with many bands (TIFF) show these three, counted from 1; 4,3,2 shows infrared as red.",
    ),
    click.option(
        "--page",
        "pages",
        metavar="N,N-N",
        callback=_pages,
        help="Only these pages, counted from 1, as 1,3-5. By default all pages of a document.",
    ),
    click.option(
        "--max-memory-mb",
        "limits",
        type=click.FloatRange(0, min_open=True),
        metavar="MB",
        callback=_limits,
        help="Refuse pictures that need more memory to be decoded or corrected; 512 by default.",
    ),
    click.option(
        "--report", metavar="FILE.html", help="Write a page that shows the run (HTML), and a sample as PNG beside it."
    ),
    click.option("-q", "--quiet", is_flag=True, help="Print only what failed or cannot be turned."),
    click.option("-v", "--verbose", is_flag=True, help="Print why each picture was answered as it was."),
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        callback=_colour,
        expose_value=False,
        help="Colours; auto has them on a terminal, unless NO_COLOR is set.",
    ),
    click.option("--timing", is_flag=True, help="Print the seconds of each stage: load, fetch, read, infer, write."),
)

_CORRECTION = (
    click.option(
        "--turn",
        type=click.Choice(["90", "180", "270"]),
        help="Turn every picture by hand, clockwise; nothing is decided.",
    ),
    click.option(
        "--in-place",
        is_flag=True,
        multiple=True,
        callback=lambda _, __, asked: sum(asked),
        help="Change the files themselves, each atomically. With --straighten give it twice.",
    ),
    click.option(
        "--method",
        type=click.Choice(["auto", "tag", "turn", "reencode"]),
        default="auto",
        show_default=True,
        help="tag: change the EXIF orientation, one value. turn: turn the pixels without loss. reencode: turn and"
        " compress again. auto: tag where the format has one, else turn.",
    ),
    click.option(
        "--edge",
        type=click.Choice(["tag", "trim", "refuse"]),
        default="tag",
        show_default=True,
        help="What turn does where a JPEG's edge blocks are not whole.",
    ),
    click.option(
        "--pixels",
        is_flag=True,
        help="Upright pixels without any tag, for programs that ignore it: turned without loss where that is possible,"
        " else compressed again at the picture's own quality.",
    ),
    click.option(
        "--sidecar",
        is_flag=False,
        flag_value="full",
        metavar=f"[{'|'.join(_SIDECARS)}]",
        callback=_sidecar,
        shell_complete=lambda context, parameter, word: [form for form in _SIDECARS if form.startswith(word)],
        help="Write XMP sidecars and touch no original: a.jpg.xmp, or with stem a.xmp. Raw photographs always get one.",
    ),
    click.option(
        "--straighten",
        is_flag=True,
        help="Also straighten text that is tilted: a copy, resampled once together with the turn, at the picture's own"
        " quality. Pages of a PDF by a matrix, so that text stays text.",
    ),
    click.option("--crop", is_flag=True, help="With --straighten: cut the corners off that it leaves."),
    click.option("--fill", type=click.Choice(["white", "edge"]), help="With --straighten: what fills them instead."),
    click.option("--dry-run", is_flag=True, help="Say what would be done; write no picture."),
    click.option(
        "--journal",
        metavar="FILE",
        help="Note changes in place in FILE, for `upright undo FILE`. Without, `upright undo` finds them itself.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace other files that are already where pictures go."),
    click.option("--new-times", is_flag=True, help="Give written files today's time instead of the original's."),
)

_FORM = (
    click.option("--json", "form", flag_value="json", help="One JSON object a line."),
    click.option("--csv", "form", flag_value="csv", help="Comma-separated values with a header."),
    click.option("--table", "form", flag_value="table", default="table", hidden=True),
)

#: Parameters that say how a picture is decided.
DECIDING_NAMES = ("promise", "model", "engine", "effort", "together", "mirror", "budget_ms", "bands")


def _adding(options: Sequence[Callable[[F], F]]) -> Callable[[F], F]:
    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


#: For every command that takes pictures: ``sources``, and options that reach the command as keywords.
picture_options = _adding(_PICTURES)
#: For those that also correct them; `corrector_of` wants these.
correction_options = _adding(_CORRECTION)
#: ``form`` of the answers: table, json or csv.
form_options = _adding(_FORM)
#: ``promise``, where one that answers in any case would do harm.
promise_options = _adding(_PROMISES)

#: Parameters that say how pictures are corrected.
CORRECTION_NAMES = [str(option.name) for option in click.command()(correction_options(lambda: None)).params]


def refuse(context: click.Context, names: Sequence[str], why: str, remedy: str, *, typed: bool = False) -> None:
    """Raise `UsageError` where one of these parameters was given; ``typed``: not in the environment."""
    unasked = {click.core.ParameterSource.DEFAULT, click.core.ParameterSource.DEFAULT_MAP}
    unasked |= {click.core.ParameterSource.ENVIRONMENT} if typed else set()
    for parameter in context.command.params:
        flag = parameter.flag_value if isinstance(parameter, click.Option) and parameter.is_flag else None
        if isinstance(flag, str) and context.params.get(str(parameter.name)) != flag:
            continue  # another flag of the same parameter
        if parameter.name in names and context.get_parameter_source(parameter.name) not in unasked:
            raise UsageError(f"{parameter.opts[0]} {why}", remedy=remedy)


def check_options(context: click.Context, options: dict[str, Any]) -> None:
    """Raise `UsageError` for an option that counts for nothing beside another one."""
    if options["turn"]:
        refuse(context, DECIDING_NAMES, "is for deciding, and --turn decides nothing", "leave one out", typed=True)
    if not options["pixels"] and options["method"] != "turn":
        refuse(context, ("edge",), "says what --method turn does", "give --method turn or --pixels too", typed=True)


def open_detector(options: dict[str, Any], progress: Callable[[str, float], object] | None = None) -> Detector | ByHand:
    """The detector that the options describe, or what answers the turn that they name."""
    if turn := options.get("turn"):
        from ..turns import Turn
        from .by_hand import ByHand

        return ByHand(Turn(int(turn)), options["limits"], options["tilt"] or options["straighten"])
    from ..detector import Detector

    return Detector(**detector_options(options), progress=progress)


def detector_options(options: dict[str, Any]) -> dict[str, Any]:
    """Keywords of `Detector` that the options give."""
    options["tilt"] |= options.get("straighten", False)
    names = ("model", "engine", "threads", "promise", "effort", "budget_ms", "limits", "bands", "tilt", "mirror")
    return {name: options[name] for name in names}


def _fill(options: dict[str, Any]) -> Fill | None:
    """What `Request.straighten` is to be."""
    fill: Fill | None = options["fill"]
    if (options["crop"] or fill) and not options["straighten"]:
        raise UsageError("--crop and --fill say how pictures are straightened", remedy="give --straighten too")
    if options["crop"] and fill:
        raise UsageError("--crop leaves nothing to fill", remedy="give --crop or --fill")
    return "crop" if options["crop"] else fill or "white" if options["straighten"] else None


def corrector_of(
    options: dict[str, Any], folder: str | None, *, single: str | None = None, writer: Writer | None = None
) -> Corrector:
    """The corrector that the options describe, into ``folder``, or in place; see `Corrector` for ``single``."""
    from ..correction import Request, Writer, method_named
    from ..correction.corrector import Corrector
    from ..journal import Journal, run_journal

    if options["journal"] and not options["in_place"]:
        raise UsageError("--journal notes changes in place", remedy="give --in-place, or leave --journal out")
    if options["straighten"] and options["in_place"] == 1:
        remedy = "give -o OUT for copies, or --in-place twice; a journal keeps the old file for `upright undo`"
        raise UsageError("--straighten changes every pixel of a file in place", remedy=remedy)
    journal = Journal(options["journal"]) if options["journal"] else None
    if journal is None and options["in_place"] and not options["dry_run"]:
        journal = run_journal()
    request = Request(
        limits=options["limits"],
        method=method_named(options["method"]),
        edge=options["edge"],
        sidecar=options["sidecar"],
        pixels=options["pixels"],
        straighten=_fill(options),
        in_place=bool(options["in_place"]),
    )
    writer = writer or Writer(journal, options["overwrite"], not options["new_times"], options["dry_run"])
    return Corrector(request, writer, folder, single)
