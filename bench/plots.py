"""Small plots as SVG, readable on a light and on a dark page."""

from xml.sax.saxutils import escape

WIDTH = 720
COLOURS = ("#1f6feb", "#d1731f", "#2e8b57", "#8a4fbf", "#777777")
_HEAD = '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}" font-family="sans-serif" font-size="12">'
_PAPER = '<rect width="100%" height="100%" fill="#ffffff"/>'


def _text(x, y, words, anchor="start", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#222222"{more}>{escape(words)}</text>'


def _svg(height, parts):
    return "\n".join([_HEAD.format(WIDTH, height), _PAPER, *parts, "</svg>"]) + "\n"


def bars(title, values):
    """`values`: (label, number), one bar each, from the top."""
    left, row_height = 300, 26
    longest = max(value for _, value in values)
    parts = [_text(12, 22, title, more=' font-weight="bold"')]
    for number, (label, value) in enumerate(values):
        y = 36 + number * row_height
        width = (WIDTH - left - 110) * value / longest
        colour = COLOURS[0] if label.startswith("firn") else COLOURS[4]
        parts += [
            _text(left - 8, y + 14, label, "end"),
            f'<rect x="{left}" y="{y}" width="{width:.1f}" height="18" fill="{colour}"/>',
            _text(left + width + 6, y + 14, f"{value:,.0f}"),
        ]
    return _svg(36 + len(values) * row_height + 10, parts)


def lines(title, x_title, y_title, points):
    """`points`: the line's name → its (x, y). Both axes begin at 0."""
    height, left, right, top, bottom = 300, 80, 20, 56, 44
    x_most = max(x for line in points.values() for x, _ in line) or 1
    y_most = max(y for line in points.values() for _, y in line) or 1

    def place(x, y):
        return left + (WIDTH - left - right) * x / x_most, height - bottom - (height - top - bottom) * y / y_most

    parts = [_text(12, 22, title, more=' font-weight="bold"'), _text(12, 42, y_title), _text(WIDTH - right, height - 8, x_title, "end")]
    for tick in range(5):
        x, y = place(x_most * tick / 4, y_most * tick / 4)
        parts += [
            f'<line x1="{left}" x2="{WIDTH - right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>',
            _text(left - 8, y + 4, _short(y_most * tick / 4), "end"),
            _text(x, height - bottom + 16, _short(x_most * tick / 4), "middle"),
        ]
    for number, (name, line) in enumerate(points.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<rect x="{left + number * 170}" y="{height - 17}" width="12" height="10" fill="{colour}"/>')
        parts.append(_text(left + 17 + number * 170, height - 8, name))
    return _svg(height, parts)


def _short(value):
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2f}"
