"""Runs the demo: lays out a site, keeps its processes, plays days, and leaves nothing behind."""

import asyncio
import contextlib
import json
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import structlog
import uvicorn
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from client import ApiClient
from contracts.api import WitnessReport
from runtime.clock import Clock, SystemClock
from runtime.logs import configure
from runtime.supervise import ChildSpec, ChildState, Supervisor
from zeroentry.demo.api import Buttons, build
from zeroentry.demo.director import (
    FOR_CHECK,
    FOR_EYES,
    Day,
    Director,
    Hook,
    Pace,
)
from zeroentry.demo.feed import Account, DeadlineError, Feed
from zeroentry.demo.plan import NODES, RECORDERS, SECOND_PEOPLE, DemoSetupError, Plan, prepare
from zeroentry.demo.proof import PAPERS, Papers, Proof, Stranger, keep_last, state_folder
from zeroentry.demo.stage import Stage, StageLost
from zeroentry.demo.story import StepId, StepStatus
from zeroentry.demo.verdict import Left, ProcessLine, Verdict, judge

READY_WITHIN_S: Final = 120.0
READY_POLL_MS: Final = 200
QUIET_AFTER_MS: Final = (
    3_000  # an alert that comes late or twice comes within this time of the day's end
)
BETWEEN_DAYS_MS: Final = 10_000
STAGE_TIMEOUT_S: Final = 5.0
CLOSE_MS: Final = 15_000
# Until the last entries of the recorders, stopped first, are countersigned: commonly a second.

CHAOS: Final = {
    # the step before which a process is killed: when losing it hurts most
    StepId.SIXTH: "controller",
    StepId.WITHDRAW: "edge-1",
    StepId.ACKNOWLEDGE: RECORDERS[0],
    StepId.ORDER: "broker",
    StepId.RESUME: "robot",
}


@dataclass(slots=True)
class Site:
    """A running site: its plan, its processes, and the director before them."""

    plan: Plan
    supervisor: Supervisor
    director: Director
    clock: Clock


@contextlib.asynccontextmanager
async def running_site(plan: Plan, clock: Clock, pace: Pace) -> AsyncIterator[Site]:
    """Start everything in a plan, and stop it at the end of the block."""
    at_cameras = {*NODES, *RECORDERS}
    edges = [child for child in plan.children if child.name in at_cameras]
    others = [child for child in plan.children if child.name not in at_cameras]
    supervisor = Supervisor(clock, random.Random(), others)
    async with httpx.AsyncClient(timeout=STAGE_TIMEOUT_S) as http:
        api = ApiClient(http, plan.controller_url)

        def account(name: str) -> Account:
            return Account(api, clock, name, plan.keys.accounts[name])

        director_account = account("director")
        feed = Feed(director_account, clock)
        stage = Stage(
            http, f"http://127.0.0.1:{plan.ports.cameras}", plan.keys.cameras, plan.truth_file
        )
        director = Director(
            clock,
            stage,
            feed,
            supervisor=director_account,
            tablet=account("tablet-1"),
            kitchen=account("kitchen-1"),
            panel=account("panel-1"),
            stranger=Stranger(
                plan.node_folders, Papers(plan.folder / PAPERS), director_account, clock
            ),
            pace=pace,
        )
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(supervisor.run(), name="processes"),
                group.create_task(feed.follow(), name="feed"),
                group.create_task(_start_late(supervisor, stage, clock, edges), name="edges"),
            ]
            try:
                yield Site(plan, supervisor, director, clock)
            finally:
                for task in tasks:
                    task.cancel()


async def _start_late(
    supervisor: Supervisor, stage: Stage, clock: Clock, edges: list[ChildSpec]
) -> None:
    """Start nodes and recorders once the cameras answer: before, "offline" would be true."""
    while not await stage.ready():
        await clock.sleep_ms(READY_POLL_MS)
    for child in edges:
        supervisor.add(child)


async def close_recordings(site: Site) -> Proof | None:
    """Stop the recorders, then verify all that they leave; None: it cannot be told.

    The others still run: what a recorder enters at its stop has to be countersigned as well.
    """
    running = {row.name for row in site.supervisor.statuses()}
    await asyncio.gather(*(site.supervisor.remove(name) for name in RECORDERS if name in running))
    try:
        return await site.director.stranger.prove(CLOSE_MS)
    except DeadlineError as error:
        structlog.get_logger(__name__).warning("recordings_not_verified", error=str(error))
        return None


def run_demo(
    *,
    camera: str,
    check: bool,
    chaos: bool,
    json_file: Path | None,
    port: int,
    keep: Path | None,
) -> int:
    """Run the demo; the exit status.

    0: stopped by the visitor, or the check was good. 1: the check was not. 2: it could not start.
    """
    console = Console(highlight=False)
    folder = keep or Path(tempfile.mkdtemp(prefix="zeroentry-demo-"))
    configure("demo", json=False, level="WARNING")
    try:
        plan = prepare(folder, console_port=0 if check else port, camera=camera, eyes=not check)
        if check:
            return asyncio.run(_check(plan, console, chaos=chaos, json_file=json_file))
        status, proof = asyncio.run(_show(plan, console))
        if proof is not None:
            _hand_out(plan, proof, console, kept=keep is not None)
        return status
    except DemoSetupError as error:
        console.print(f"[bold red]error:[/] {error}", soft_wrap=True)
        return 2
    finally:
        if keep is None and not check:
            shutil.rmtree(folder, ignore_errors=True)


async def _show(plan: Plan, console: Console) -> tuple[int, Proof | None]:
    """Play days for a visitor until Ctrl-C; the exit status, and how the recordings verify."""
    proof: Proof | None = None
    clock = SystemClock()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    async with running_site(plan, clock, FOR_EYES) as site:
        started = asyncio.Event()
        buttons = Buttons(site.director)
        story = asyncio.create_task(_days(site, started, console))
        server = asyncio.create_task(_serve_director(plan, site, buttons, started))
        with console.status(
            "starting broker, cameras, two edge nodes, controller, two robots, console"
        ):
            ready = await _console_ready(plan, site, stop)
        if ready:
            _welcome(plan, console)
            await stop.wait()
        console.print("stopping")
        for task in (story, server):
            task.cancel()
        await buttons.stop()
        await asyncio.gather(story, server, return_exceptions=True)
        if ready:
            proof = await close_recordings(site)
    return (0 if ready else 1), proof


def _hand_out(plan: Plan, proof: Proof, console: Console, *, kept: bool) -> None:
    """Leave the recordings of this run where the visitor can verify them, and say how."""
    papers: Papers | None = Papers(plan.folder / PAPERS)
    if not kept and papers is not None:
        try:
            papers = keep_last(papers, state_folder())
        except OSError as error:
            console.print(f"the recordings could not be kept: {escape(str(error))}")
            return
    console.print(escape(proof.told().en), soft_wrap=True)
    if papers is None:
        console.print(
            "they are too many to be kept for you; next time: zeroentry demo --keep FOLDER"
        )
        return
    console.print("Verify them yourself (the next demo replaces them):")
    console.print(f"  {escape(papers.command(_program()))}", soft_wrap=True)


def _program() -> tuple[str, ...]:
    """How a visitor calls this program where they stand."""
    started = Path(sys.argv[0])
    if started.name == "zeroentry":
        return (str(started),)
    return (sys.executable, "-m", "zeroentry")


async def _serve_director(plan: Plan, site: Site, buttons: Buttons, started: asyncio.Event) -> None:
    server = uvicorn.Server(
        uvicorn.Config(
            build(site.director, buttons, started, plan.keys.director),
            host="127.0.0.1",
            port=plan.ports.director,
            log_level="warning",
            access_log=False,
            lifespan="off",
        )
    )
    await server._serve()  # noqa: SLF001 - serve() would take Ctrl-C from the demo


async def _console_ready(plan: Plan, site: Site, stop: asyncio.Event) -> bool:
    async with httpx.AsyncClient(timeout=1.0) as http:
        until_ms = site.clock.mono_ms() + int(READY_WITHIN_S * 1000)
        while site.clock.mono_ms() < until_ms and not stop.is_set():
            failed = [row for row in site.supervisor.statuses() if row.state is ChildState.FAILED]
            if failed:
                _explain_failure(plan, failed[0].name)
                return False
            with contextlib.suppress(httpx.HTTPError):
                answer = await http.get(plan.console_url + "/")
                # a console without its controller would only show that it waits
                if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR and _controller_up(site):
                    return True
            await site.clock.sleep_ms(300)
    return False


def _controller_up(site: Site) -> bool:
    return bool(site.director.feed.rooms)


def _explain_failure(plan: Plan, name: str) -> None:
    console = Console(stderr=True, highlight=False)
    log = plan.folder / "logs" / f"{name}.log"
    tail = "\n".join(log.read_text("utf-8", "replace").splitlines()[-15:]) if log.exists() else ""
    console.print(f"[bold red]error:[/] {name} could not start. The end of its log:\n{tail}")


def _welcome(plan: Plan, console: Console) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_row("console", f"[bold]{plan.console_url}[/]")
    table.add_row("user", "visitor")
    table.add_row("password", f"[bold]{plan.keys.accounts['visitor']}[/]  (made for this run)")
    for name in SECOND_PEOPLE:
        table.add_row("also", f"{name}  {plan.keys.accounts[name]}")
    table.add_row("", "the day begins when you log in; Ctrl-C ends it and all its processes")
    table.add_row("files", str(plan.folder))
    console.print(Panel(table, title="Zero Entry demo", expand=False))


async def _days(site: Site, started: asyncio.Event, console: Console) -> None:
    """Play one day after another; a day that fails is told and tidied up, and the next begins."""
    log = structlog.get_logger(__name__)
    await started.wait()
    while True:
        try:
            await site.director.play_day(Day())
            console.print(f"day {site.director.loop}: complete")
        except (DeadlineError, StageLost) as error:
            log.warning("demo_day_failed", day=site.director.loop, error=str(error))
            console.print(f"day {site.director.loop}: {error}; the next one begins")
        await site.clock.sleep_ms(BETWEEN_DAYS_MS)
        with contextlib.suppress(DeadlineError, StageLost):
            await site.director.tidy_up()


async def _check(plan: Plan, console: Console, *, chaos: bool, json_file: Path | None) -> int:
    """Play one day without a screen and judge it."""
    clock = SystemClock()
    begun_ms = clock.mono_ms()
    async with running_site(plan, clock, FOR_CHECK) as site:
        kills: list[str] = []
        if chaos:
            site.director.before = _killer(site, kills)
        day, broken = Day(), None
        try:
            await site.director.play_day(day)
        except (DeadlineError, StageLost) as error:
            broken = str(error)
        await clock.sleep_ms(QUIET_AFTER_MS)
        report, witness = (None, None) if broken else await _report(site, day, plan)
        processes = tuple(
            ProcessLine(row.name, row.starts, row.state.value) for row in site.supervisor.statuses()
        )
        alerts = tuple(site.director.feed.alerts.values())
        proof = await close_recordings(site)
    verdict = judge(
        day,
        alerts,
        broken=broken,
        left=Left(report, witness, proof),
        processes=processes,
        kills=tuple(kills),
        seconds=round((clock.mono_ms() - begun_ms) / 1000, 1),
    )
    _print_check(console, site, verdict, plan)
    if proof is not None:
        _print_proof(console, proof, plan)
    if json_file is not None:
        _write_json(json_file, verdict)
    return 0 if verdict.passed else 1


def _write_json(file: Path, verdict: Verdict) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(verdict.as_json(), ensure_ascii=False, indent=2)
    file.write_text(text + "\n", "utf-8")


def _killer(site: Site, kills: list[str]) -> Hook:
    async def kill(step: StepId) -> None:
        name = CHAOS.get(step)
        if name is None:
            return
        if name == "robot":
            name = next(iter(site.director.sight.busy_robots()), "robot-1")
        site.supervisor.kill(name)
        kills.append(name)

    return kill


async def _report(site: Site, day: Day, plan: Plan) -> tuple[str | None, WitnessReport | None]:
    """The file of the session's witness report, and what it says."""
    session = day.session
    if session is None:
        return None, None
    html = await site.director.supervisor.ask(
        "witness report", lambda api: api.report_html(session.id, "zh-CN")
    )
    file = plan.folder / "witness-report.html"
    file.write_text(html, "utf-8")
    witness = await site.director.supervisor.ask(
        "witness report", lambda api: api.report(session.id)
    )
    return str(file), witness


def _print_proof(console: Console, proof: Proof, plan: Plan) -> None:
    console.print(escape(proof.told().en), soft_wrap=True)
    for line in proof.gap_lines():
        console.print(f"  gap: {escape(line)}", soft_wrap=True)
    command = Papers(plan.folder / PAPERS).command(_program())
    console.print(f"verify: {escape(command)}", soft_wrap=True)


def _print_check(console: Console, site: Site, verdict: Verdict, plan: Plan) -> None:
    table = Table(title="zeroentry demo --check" + (" --chaos" if verdict.chaos else ""))
    table.add_column("step")
    table.add_column("seconds", justify="right")
    table.add_column("result")
    marks = {StepStatus.DONE: "[green]done[/]", StepStatus.FAILED: "[bold red]failed[/]"}
    for step in site.director.steps:
        seconds = "" if step.seconds is None else f"{step.seconds:.1f}"
        table.add_row(step.title.en, seconds, marks.get(step.status, step.status.value))
    console.print(table)
    p95 = "none" if verdict.latency_ms_p95 is None else f"{verdict.latency_ms_p95:.0f} ms"
    console.print(
        f"alerts expected {verdict.alerts_expected}, raised {verdict.alerts_raised}, "
        f"lost {verdict.lost}, duplicated {verdict.duplicated}; "
        f"latency p95 beyond the dwell {p95}; {verdict.seconds:.0f} s"
    )
    for problem in verdict.problems:
        console.print(f"[bold red]problem:[/] {problem}", soft_wrap=True)
    console.print("[bold green]passed[/]" if verdict.passed else "[bold red]failed[/]")
    console.print(f"files of this run: {plan.folder}")
