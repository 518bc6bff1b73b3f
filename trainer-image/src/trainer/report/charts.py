"""Small plots as inline SVG: no script, no external file, colours from the page's style sheet.

Every point has a title, which browsers show under the pointer and screen readers read.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

WIDTH, HEIGHT = 520, 200
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 26
COLOURS = 6


@dataclass(frozen=True, slots=True)
class Line:
    """One version's values by day, None where it has none; `band` are the ends of an interval around each."""

    name: str
    colour: int
    values: Sequence[float | None]
    band: Sequence[tuple[float, float] | None] = ()
    is_dashed: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot over days; `tell` writes a value, `limit` is a horizontal line with its label."""

    title: str
    days: Sequence[date]
    lines: Sequence[Line]
    tell: Callable[[float], str]
    limit: tuple[float, str] | None = None
    floor: float | None = None
    ceiling: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return all(value is None for line in self.lines for value in line.values)

    def svg(self) -> str:
        """Return the plot as an SVG element."""
        scale = _Scale.of(self)
        parts = list(_grid(self, scale))
        for line in self.lines:
            parts += [*_band(line, scale), *_path(line, scale), *_points(self, line, scale)]
        # Last, so that no line hides its label.
        parts += _limit(self, scale)
        return _element(self.title, HEIGHT, parts)


def _grid(plot: Plot, scale: "_Scale") -> Iterator[str]:
    for tick in scale.ticks:
        y = scale.y(tick)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(plot.tell(tick))}</text>'
    for index, day in enumerate(plot.days):
        x = scale.x(index)
        yield f'<text class="tick" x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{day:%-d %b}</text>'


def _limit(plot: Plot, scale: "_Scale") -> Iterator[str]:
    if plot.limit is None:
        return
    value, label = plot.limit
    y = scale.y(value)
    yield f'<line class="limit" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    yield f'<text class="limit" x="{LEFT + 4}" y="{y - 5:.1f}">{escape(label)}</text>'


def _band(line: Line, scale: "_Scale") -> Iterator[str]:
    for run in _runs([end is not None for end in line.band]):
        ends = [(index, line.band[index]) for index in run]
        upper = [f"{scale.x(index):.1f},{scale.y(end[1]):.1f}" for index, end in ends if end]
        lower = [f"{scale.x(index):.1f},{scale.y(end[0]):.1f}" for index, end in ends if end]
        if len(run) > 1:
            yield f'<polygon class="band s{line.colour}" points="{" ".join([*upper, *reversed(lower)])}"/>'
        else:
            x, (_, end) = scale.x(run[0]), ends[0]
            if end:
                y1, y2 = scale.y(end[0]), scale.y(end[1])
                yield f'<line class="whisker s{line.colour}" x1="{x:.1f}" x2="{x:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'


def _path(line: Line, scale: "_Scale") -> Iterator[str]:
    for run in _runs([value is not None for value in line.values]):
        points = [(index, line.values[index]) for index in run]
        told = " ".join(f"{scale.x(index):.1f},{scale.y(value or 0.0):.1f}" for index, value in points)
        yield f'<polyline class="line s{line.colour}{" dashed" if line.is_dashed else ""}" points="{told}"/>'


def _points(plot: Plot, line: Line, scale: "_Scale") -> Iterator[str]:
    for index, value in enumerate(line.values):
        if value is not None:
            told = escape(f"{line.name}, {plot.days[index]:%-d %b}: {plot.tell(value)}")
            x, y = scale.x(index), scale.y(value)
            yield f'<circle class="s{line.colour}" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{told}</title></circle>'


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where values and days are on the canvas."""

    low: float
    high: float
    days: int
    ticks: tuple[float, ...]

    @classmethod
    def of(cls, plot: Plot) -> "_Scale":
        """Return the scale that shows every value, every interval and the limit."""
        values = [value for line in plot.lines for value in line.values if value is not None]
        values += [end for line in plot.lines for pair in line.band if pair is not None for end in pair]
        values += [plot.limit[0]] if plot.limit else []
        low = min(values, default=0.0) if plot.floor is None else plot.floor
        high = max(values, default=1.0)
        step = _nice((high - low) / 4 or abs(high) / 4 or 0.25)
        first, last = low // step, -(-high // step)
        top = min(last * step, plot.ceiling) if plot.ceiling is not None else last * step
        bottom = first * step
        if top <= bottom:
            top = bottom + step
        ticks = tuple(bottom + n * step for n in range(int((top - bottom) / step + 1e-6) + 1))
        return cls(bottom, top, len(plot.days), ticks)

    def x(self, index: int) -> float:
        """Return the middle of a day."""
        return LEFT + (WIDTH - LEFT - RIGHT) * (index + 0.5) / max(1, self.days)

    def y(self, value: float) -> float:
        """Return the height of a value."""
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(1.0, max(0.0, share))


def _nice(step: float) -> float:
    """Return the next larger of 1, 2, 2.5 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next((factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= step * 0.999), 10 * power)


def _runs(present: Sequence[bool]) -> Iterator[list[int]]:
    """Yield the stretches of consecutive true values, as their indices."""
    run: list[int] = []
    for index, there in enumerate(present):
        if there:
            run.append(index)
        elif run:
            yield run
            run = []
    if run:
        yield run


@dataclass(frozen=True, slots=True)
class Bar:
    """One day's number of one version."""

    name: str
    colour: int
    values: Sequence[int]


def stacked(title: str, days: Sequence[date], bars: Sequence[Bar]) -> str:
    """Return a plot of counts by day, one colour a version, stacked."""
    totals = [sum(bar.values[index] for bar in bars) for index in range(len(days))]
    frame = Plot(title, days, [Line("", 0, totals)], count_told, floor=0.0)
    scale = _Scale.of(frame)
    parts = list(_grid(frame, scale))
    width = (WIDTH - LEFT - RIGHT) / max(1, len(days)) * 0.62
    for index, day in enumerate(days):
        below = 0
        for bar in bars:
            value = bar.values[index]
            top, bottom = scale.y(below + value), scale.y(below)
            told = escape(f"{bar.name}, {day:%-d %b}: {value:,}")
            if value:
                left, height = scale.x(index) - width / 2, bottom - top
                box = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"'
                parts.append(f'<rect class="s{bar.colour}" {box}><title>{told}</title></rect>')
            below += value
    return _element(title, HEIGHT, parts)


def count_told(value: float) -> str:
    """Return a count in few letters: 950, 12k, 1.2M."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:.3g}{name}"
    return f"{value:.0f}"


def index_bars(title: str, indices: Sequence[tuple[str, float]], limits: Sequence[float]) -> str:
    """Return one horizontal bar a feature; a bar changes its colour beyond each of the ascending limits.

    A bar ends at five times the last limit, so that one feature does not make the others invisible; its number goes on.
    """
    row, left = 22, 170
    height = row * len(indices) + 24
    longest = limits[-1] * 5
    scale = (WIDTH - left - 56) / max(min(longest, max(value for _, value in indices)), limits[-1] * 1.25)
    parts = []
    for limit in limits:
        x = left + limit * scale
        parts.append(f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{height - 20}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{height - 6}" text-anchor="middle">{limit:g}</text>')
    for index, (name, value) in enumerate(indices):
        y, level, length = 4 + index * row, sum(value > limit for limit in limits), min(value, longest) * scale
        told = escape(f"{name}: {value:.3f}")
        parts.append(f'<text class="name" x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        box = f'x="{left}" y="{y + 3}" width="{max(1.0, length):.1f}" height="{row - 8}"'
        parts.append(f'<rect class="level{level}" {box}><title>{told}</title></rect>')
        x = left + length + 6
        parts.append(f'<text class="value" x="{x:.1f}" y="{y + 14}">{value:.3f}</text>')
    return _element(title, height, parts)


def _element(title: str, height: int, parts: Sequence[str]) -> str:
    label = escape(title)
    root = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">'
    return f"{root}<title>{label}</title>{''.join(parts)}</svg>"
