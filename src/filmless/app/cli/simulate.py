"""`filmless simulate`: devices and patients that are none, over the real network."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from filmless.app.cli.options import with_settings
from filmless.app.settings import Settings

if TYPE_CHECKING:
    from filmless.app.simulation.modality import Way


@click.group()
def simulate() -> None:
    """Devices and patients that are none: for tests, training and demonstrations, never beside real patients."""


def _way(command: Any) -> Any:
    for option in (
        click.option("--no-commit", is_flag=True, help="Ask for no storage commitment."),
        click.option("--no-mpps", is_flag=True, help="Tell of no performed steps."),
        click.option(
            "--discontinue", metavar="CODE", default="", help="Stop each exam under a code of CID 9300."
        ),
        click.option(
            "--lose",
            default=0,
            type=click.IntRange(0),
            help="Images of each exam that are told of and not sent.",
        ),
        click.option(
            "--images",
            default=12,
            type=click.IntRange(1),
            show_default=True,
            help="At most so many images of each exam.",
        ),
        click.option(
            "--port",
            default=0,
            type=click.IntRange(0, 65535),
            metavar="N",
            help="DICOM port of the server [default: that of the home].",
        ),
        click.option("--host", default="127.0.0.1", show_default=True, help="Where the server is."),
    ):
        command = option(command)
    return command


def _made_way(images: int, lose: int, discontinue: str, no_mpps: bool, no_commit: bool) -> "Way":
    from filmless.app.simulation.modality import Way

    return Way(images, lose, discontinue, mpps=not no_mpps, commit=not no_commit)


@simulate.command()
@click.argument("title", metavar="AE")
@click.option("--modality", default="CT", show_default=True, help="CT, MR, DX, US or MG.")
@click.option(
    "--exams",
    default=1,
    type=click.IntRange(1),
    show_default=True,
    help="At most so many exams of the worklist.",
)
@click.option("--number", "numbers", multiple=True, help="Only the exam with this number; may be repeated.")
@click.option("--aec", default="", help="AE title of the server; default: that of the home.")
@click.option(
    "--brain",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="WHEEL",
    help="A wheel of nilearn, of which MR images are made.",
)
@_way
@with_settings
def modality(
    settings: Settings,
    title: str,
    modality: str,
    exams: int,
    numbers: tuple[str, ...],
    aec: str,
    brain: Path | None,
    host: str,
    port: int,
    images: int,
    lose: int,
    discontinue: str,
    **less: bool,
) -> None:
    """A device: asks for its worklist, examines, stores, asks for commitment."""
    from filmless.app.simulation.modality import Modality

    device = Modality(
        host,
        port or settings.server.dicom_port,
        title,
        modality.upper(),
        aec or settings.server.aet,
        _made_way(images, lose, discontinue, less["no_mpps"], less["no_commit"]),
        brain,
        told=click.echo,
    )
    made = asyncio.run(device.work(exams, only=numbers))
    if not made:
        click.echo("There is nothing on the worklist.")


@simulate.command()
@click.option("--exams", default=10, type=click.IntRange(1, 10_000), show_default=True, help="How many.")
@click.option("--seed", default=1, help="Another number makes other patients.")
@_way
@with_settings
def hospital(
    settings: Settings,
    exams: int,
    seed: int,
    host: str,
    port: int,
    images: int,
    lose: int,
    discontinue: str,
    **less: bool,
) -> None:
    """A day: patients come to the desk of this home, and the devices of its stations examine them."""
    from filmless.access.acting import Acting
    from filmless.app.cli.acting import engineer
    from filmless.app.index import open_index
    from filmless.app.simulation.hospital import Hospital
    from filmless.app.trail import open_trail
    from filmless.department.desk import open_desk

    with open_index(settings) as engine, open_trail(settings, engine, "simulate") as trail:
        day = Hospital(
            engine,
            Acting(engineer(), trail, reason="simulated"),
            open_desk(settings.department, settings.home),
            host,
            port or settings.server.dicom_port,
            settings.server.aet,
            _made_way(images, lose, discontinue, less["no_mpps"], less["no_commit"]),
            seed,
            told=click.echo,
        )
        tally = asyncio.run(day.day(exams))
    click.echo(f"{tally.registered} registered, {len(tally.made)} examined, {tally.images} images sent.")
