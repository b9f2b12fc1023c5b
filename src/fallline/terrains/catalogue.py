"""The terrains by name, from the simplest bowl to the most dented plain.

Stationary points were found by Newton's method in double precision from a lattice of starts; where they
are known in closed form, that is given. The tests check every gradient and every curvature.
"""

from __future__ import annotations

import math
from itertools import product

from fallline.errors import lookup
from fallline.terrains import functions
from fallline.terrains.base import Point, Terrain
from fallline.terrains.made import line_fit

# Seventeen places in the Alps and in Scotland: boiling point of water in degrees Fahrenheit, pressure
# of the air in inches of mercury.
FORBES = (
    "194.5 194.3 197.9 198.4 199.4 199.9 200.9 201.1 201.4 201.3 203.6 204.6 209.5 208.6 210.7 211.9 212.2",
    "20.79 20.79 22.40 22.67 23.15 23.35 23.89 23.99 24.02 24.01 25.14 26.57 28.49 27.76 29.04 29.88 30.06",
)

# Rastrigin's function is a sum over the parameters: place and height of each dent of one of them.
_RASTRIGIN = (
    (0.0, 0.0),
    (0.9949586376523348, 0.9949590570932916),
    (1.9899122337085497, 3.979831190554088),
    (2.984855701039481, 8.954601241487012),
    (3.9797838603007536, 15.91924379246153),
    (4.974691390895051, 24.87372293454223),
)

# Ackley's dents in an eighth of the window, 0 <= y <= x; the others are their mirror images.
_ACKLEY = (
    (0.0, 0.0, 0.0),
    (0.9521665459501717, 0.0, 2.5799275570298725),
    (0.9684776587077244, 0.9684776587077244, 3.5744518772576805),
    (1.9589197181217173, 0.0, 4.884065258091154),
    (1.9646166628629864, 0.9824160350791393, 5.3818641874901925),
    (1.9744519864841168, 1.9744519864841168, 6.559645375627879),
    (2.964619443112052, 0.0, 6.882582646801293),
    (2.9672595287625643, 0.9891541864816626, 7.180951647715366),
    (2.973139419924383, 1.9821399503814776, 7.9617112746898275),
    (3.969466743351758, 0.0, 8.6162500440488),
    (3.9709183150642837, 0.9927672061700447, 8.81315177404689),
    (2.979223954691144, 2.979223954691144, 9.001093478292008),
    (3.974540178468205, 1.9873106146274968, 9.353039239137805),
    (4.973611257996986, 0.0, 10.120331273799986),
    (3.978924750768195, 2.9842137381272384, 10.120350743632674),
    (4.974497722176982, 0.9949203738218393, 10.257974372149421),
    (4.976843849330103, 1.9907648757355256, 10.645027483714344),
    (3.983067699689763, 3.983067699689763, 10.998262102599444),
    (4.97995793948682, 2.987995058852837, 11.217549480016737),
    (4.983198896760883, 3.9865680979539455, 11.901256635114164),
    (4.986180456997876, 4.986180456997876, 12.632268991516),
)


def _rastrigin() -> tuple[Point, ...]:
    """The 121 dents within the bounds, the lowest first."""
    line = [(sign * t, z) for t, z in _RASTRIGIN for sign in ((1, -1) if t else (1,))]
    points = (Point(x, y, p + q) for (x, p), (y, q) in product(line, line))
    return tuple(sorted(points, key=lambda point: point.value))


def _ackley() -> tuple[Point, ...]:
    """The 121 dents within the bounds, the lowest first."""
    points: list[Point] = []
    for a, b, value in _ACKLEY:
        for x, y in dict.fromkeys(((a, b), (b, a))):
            signs = product((1, -1) if x else (1,), (1, -1) if y else (1,))
            points += [Point(i * x, j * y, value) for i, j in signs]
    return tuple(points)


_ALL = (
    Terrain(
        name="sphere",
        title="Sphere",
        function=functions.sphere,
        bounds=((-5.0, 5.0), (-5.0, 5.0)),
        minima=(Point(0.0, 0.0, 0.0),),
        starts=((-4.0, 3.0), (4.5, 1.0), (1.0, -4.5)),
        learning_rates={"sgd": 0.1, "momentum": 0.02, "rmsprop": 0.01, "adam": 0.05},
        formula="x^2 + y^2",
        about="In a round bowl the gradient points straight at the minimum.",
        source="De Jong, dissertation, University of Michigan, 1975, function F1",
    ),
    line_fit(
        *([float(number) for number in row.split()] for row in FORBES),
        name="line",
        title="A line through Forbes' measurements",
        source="Forbes, Trans. Royal Soc. Edinburgh 21 (1857): air pressure and boiling point of water "
        "at 17 places, as in Weisberg, Applied Linear Regression",
    ),
    Terrain(
        name="noisy_bowl",
        title="Noisy bowl",
        function=functions.noisy_bowl,
        bounds=((-4.0, 4.0), (-4.0, 4.0)),
        minima=(Point(0.0, 0.0, 0.0),),
        starts=((-3.0, 2.5), (3.0, 3.0), (0.5, -3.5)),
        learning_rates={"sgd": 0.05, "momentum": 0.005, "rmsprop": 0.005, "adam": 0.02},
        noise=0.5,
        formula=r"\frac{1}{2} (x^2 + y^2)",
        about="With noise of deviation s in each gradient, descent at the rate r never settles: each "
        "parameter keeps straying by s times the root of r / (2 - r).",
        source="Mandt, Hoffman & Blei, JMLR 18 (2017), on the stationary distribution of SGD",
    ),
    Terrain(
        name="ill_conditioned",
        title="Ill-conditioned bowl",
        function=functions.ill_conditioned,
        bounds=((-3.0, 3.0), (-3.0, 3.0)),
        minima=(Point(0.0, 0.0, 0.0),),
        starts=((-2.6, -0.6), (2.6, 1.5), (-1.0, 1.75)),
        learning_rates={"sgd": 0.015, "momentum": 0.005, "rmsprop": 0.002, "adam": 0.05},
        formula=r"\frac{1}{2} (u^2 + 100 v^2), \quad u = \frac{\sqrt{3} x + y}{2}, "
        r"\quad v = \frac{\sqrt{3} y - x}{2}",
        about="The steep direction allows a rate below 0.02 only, at which the flat one takes hundreds "
        "of steps: the condition number is 100.",
        source="the standard example; see Goh, Why momentum really works, Distill, 2017",
    ),
    Terrain(
        name="ravine",
        title="Winding ravine",
        function=functions.ravine,
        bounds=((-6.0, 6.0), (-4.0, 4.0)),
        minima=(Point(0.0, 0.0, 0.0),),
        starts=((-5.0, 2.5), (5.5, 3.0), (-3.0, -3.0)),
        learning_rates={"sgd": 0.045, "momentum": 0.01, "rmsprop": 0.015, "adam": 0.2},
        formula=r"10 (y - \sin x)^2 + \frac{x^2}{20}",
        about="Descent soon reaches the floor of the ravine, and then creeps along it.",
        source="made for Fallline, after Sutton, Two problems with backpropagation, 1986, on ravines",
    ),
    Terrain(
        name="rosenbrock",
        title="Rosenbrock's valley",
        function=functions.rosenbrock,
        bounds=((-2.0, 2.0), (-1.0, 3.0)),
        minima=(Point(1.0, 1.0, 0.0),),
        starts=((-1.2, 1.0), (0.0, 0.0), (-1.5, 2.5), (0.5, 2.5)),
        learning_rates={"sgd": 0.002, "momentum": 0.001, "rmsprop": 0.007, "adam": 0.1},
        formula="(1 - x)^2 + 100 (y - x^2)^2",
        about="The valley is easy to find and hard to follow: it bends, and its floor is nearly flat.",
        source="Rosenbrock, Computer Journal 3 (1960); Moré, Garbow & Hillstrom, ACM TOMS 7 (1981), no. 1",
    ),
    Terrain(
        name="beale",
        title="Beale's function",
        function=functions.beale,
        bounds=((-4.5, 4.5), (-4.5, 4.5)),
        minima=(Point(3.0, 0.5, 0.0),),
        saddles=(
            Point(0.10053793732415835, -2.644513585023125, 9.86451228475556),
            Point(0.0, 1.0, 14.203125),
        ),
        starts=((1.0, 1.0), (0.0, 1.01), (2.0, -1.5)),
        learning_rates={"sgd": 0.02, "momentum": 0.005, "rmsprop": 0.002, "adam": 0.05},
        formula="(1.5 - x + x y)^2 + (2.25 - x + x y^2)^2 + (2.625 - x + x y^3)^2",
        about="Flat in the middle and thousands of times steeper in the corners: no one rate suits both.",
        source="Beale, technical report 25, Princeton, 1958; Moré, Garbow & Hillstrom, ACM TOMS 7 (1981), "
        "no. 5",
    ),
    Terrain(
        name="plateau",
        title="Plateaus of a saturated neuron",
        function=functions.plateau,
        bounds=((-8.0, 8.0), (-8.0, 8.0)),
        axes=("w", "b"),
        minima=(Point(math.log(3.0), 0.0, 0.0),),
        starts=((-6.0, 1.0), (7.0, 2.0), (0.0, 7.0), (-2.0, 0.0)),
        learning_rates={"sgd": 5.0, "momentum": 0.5, "rmsprop": 0.01, "adam": 0.05},
        formula=r"\frac{1}{2} \left(\sigma(b + w) - \frac{3}{4}\right)^2 + "
        r"\frac{1}{2} \left(\sigma(b - w) - \frac{1}{4}\right)^2",
        about="Where a sigmoid neuron saturates, the error is large and the gradient nearly 0, so that "
        "the worst starts learn slowest.",
        source="made for Fallline, after Nielsen, Neural Networks and Deep Learning, 2015, chapter 3",
    ),
    Terrain(
        name="saddle",
        title="Saddle",
        function=functions.saddle,
        bounds=((-2.0, 2.0), (-2.0, 2.0)),
        minima=(Point(0.0, 1.0, -0.5), Point(0.0, -1.0, -0.5)),
        saddles=(Point(0.0, 0.0, 0.0),),
        starts=((1.5, 0.001), (1.5, 0.0), (-1.2, -0.3), (0.3, 1.8)),
        learning_rates={"sgd": 0.1, "momentum": 0.01, "rmsprop": 0.005, "adam": 0.02},
        formula=r"x^2 - y^2 + \frac{1}{2} y^4",
        about="Descent slows down near a saddle and leaves it along the direction that falls; exactly "
        "on the ridge it never does.",
        source="the standard example with a term that bounds it below; see Dauphin et al., NeurIPS 2014",
    ),
    Terrain(
        name="monkey_saddle",
        title="Monkey saddle",
        function=functions.monkey_saddle,
        bounds=((-1.5, 1.5), (-1.5, 1.5)),
        minima=(
            Point(-1.0, 0.0, -0.25),
            Point(0.5, math.sqrt(0.75), -0.25),
            Point(0.5, -math.sqrt(0.75), -0.25),
        ),
        saddles=(Point(0.0, 0.0, 0.0),),
        starts=((1.2, 0.01), (1.2, 0.0), (-0.6, 1.05), (0.1, 0.1)),
        learning_rates={"sgd": 0.05, "momentum": 0.01, "rmsprop": 0.001, "adam": 0.01},
        formula=r"x^3 - 3 x y^2 + \frac{3}{4} (x^2 + y^2)^2",
        about="At a degenerate saddle the curvature is 0, too: it is left more slowly than any other.",
        source="the standard example with a term that bounds it below; see Dauphin et al., NeurIPS 2014",
    ),
    Terrain(
        name="himmelblau",
        title="Himmelblau's function",
        function=functions.himmelblau,
        bounds=((-5.0, 5.0), (-5.0, 5.0)),
        minima=(
            Point(3.0, 2.0, 0.0),
            Point(-2.805118086952745, 3.131312518250573, 0.0),
            Point(-3.779310253377747, -3.2831859912861696, 0.0),
            Point(3.5844283403304917, -1.8481265269644036, 0.0),
        ),
        saddles=(
            Point(3.385154183607021, 0.07385187983774928, 13.311926270405587),
            Point(0.08667750455539636, 2.884254701174776, 67.71915008752613),
            Point(-3.0730257507643897, -0.08135304428796751, 104.01516291755811),
            Point(-0.12796134673068005, -1.9537149802445766, 178.33723920192745),
        ),
        maxima=(Point(-0.2708445906673476, -0.9230385564799815, 181.6165215225827),),
        starts=((0.0, 0.0), (-0.3, -0.9), (-4.5, 0.0), (4.8, 0.2)),
        learning_rates={"sgd": 0.01, "momentum": 0.005, "rmsprop": 0.005, "adam": 0.05},
        formula="(x^2 + y - 11)^2 + (x + y^2 - 7)^2",
        about="Four minima, all equally deep: the start, the rate and the optimizer decide between them.",
        source="Himmelblau, Applied Nonlinear Programming, McGraw-Hill, 1972",
    ),
    Terrain(
        name="six_hump_camel",
        title="Six-hump camel",
        function=functions.six_hump_camel,
        bounds=((-2.0, 2.0), (-1.2, 1.2)),
        minima=(
            Point(0.08984201310031806, -0.7126564030207396, -1.0316284534898774),
            Point(-0.08984201310031806, 0.7126564030207396, -1.0316284534898774),
            Point(1.7036067149699807, -0.7960835686726251, -0.21546382438371725),
            Point(-1.7036067149699807, 0.7960835686726251, -0.21546382438371725),
            Point(1.6071047529201974, 0.5686514548841314, 2.1042503103112598),
            Point(-1.6071047529201974, -0.5686514548841314, 2.1042503103112598),
        ),
        saddles=(
            Point(0.0, 0.0, 0.0),
            Point(1.1092053368047865, -0.7682680925095399, 0.5437186009781853),
            Point(-1.1092053368047865, 0.7682680925095399, 0.5437186009781853),
            Point(1.638067984189779, 0.22867406904439413, 2.2293571975307156),
            Point(-1.638067984189779, -0.22867406904439413, 2.2293571975307156),
            Point(1.296070267167109, 0.6050843880386585, 2.2294708180298595),
            Point(-1.296070267167109, -0.6050843880386585, 2.2294708180298595),
        ),
        maxima=(
            Point(1.2302298765166524, 0.16233458445899493, 2.496295351023577),
            Point(-1.2302298765166524, -0.16233458445899493, 2.496295351023577),
        ),
        starts=((1.2, 1.0), (1.25, 0.15), (-1.9, 1.0), (1.9, 1.0)),
        learning_rates={"sgd": 0.02, "momentum": 0.005, "rmsprop": 0.005, "adam": 0.02},
        formula=r"\left(4 - 2.1 x^2 + \frac{x^4}{3}\right) x^2 + x y + (4 y^2 - 4) y^2",
        about="Six minima of three depths; only the middle two are the lowest.",
        source="Dixon & Szegö, Towards Global Optimisation 2, 1978; Molga & Smutnicki, 2005",
    ),
    Terrain(
        name="styblinski_tang",
        title="Styblinski and Tang's function",
        function=functions.styblinski_tang,
        bounds=((-5.0, 5.0), (-5.0, 5.0)),
        minima=(
            Point(-2.9035340277711774, -2.9035340277711774, -78.33233140754282),
            Point(2.746802770990837, -2.9035340277711774, -64.19561235905536),
            Point(-2.9035340277711774, 2.746802770990837, -64.19561235905536),
            Point(2.746802770990837, 2.746802770990837, -50.05889331056788),
        ),
        saddles=(
            Point(0.1567312567803401, -2.9035340277711774, -38.97055334471605),
            Point(-2.9035340277711774, 0.1567312567803401, -38.97055334471605),
            Point(0.1567312567803401, 2.746802770990837, -24.833834296228584),
            Point(2.746802770990837, 0.1567312567803401, -24.833834296228584),
        ),
        maxima=(Point(0.1567312567803401, 0.1567312567803401, 0.3912247181107161),),
        starts=((4.0, 0.5), (0.15, 0.15), (-0.5, -0.5), (4.5, -4.0)),
        learning_rates={"sgd": 0.01, "momentum": 0.005, "rmsprop": 0.01, "adam": 0.05},
        formula=r"\frac{1}{2} \left(x^4 - 16 x^2 + 5 x + y^4 - 16 y^2 + 5 y\right)",
        about="Four minima that look alike, and only one of them is the lowest.",
        source="Styblinski & Tang, Neural Networks 3 (1990); Jamil & Yang, 2013",
    ),
    Terrain(
        name="rastrigin",
        title="Rastrigin's function",
        function=functions.rastrigin,
        bounds=((-5.12, 5.12), (-5.12, 5.12)),
        minima=_rastrigin(),
        starts=((2.2, -1.3), (0.4, 0.3), (-4.5, 4.5)),
        learning_rates={"sgd": 0.002, "momentum": 0.001, "rmsprop": 0.0005, "adam": 0.1},
        formula=r"20 + x^2 + y^2 - 10 \cos 2 \pi x - 10 \cos 2 \pi y",
        about="Descent ends in the nearest of 121 dents: it finds a minimum, not the lowest.",
        source="Rastrigin, Systems of Extremal Control, 1974; Mühlenbein, Schomisch & Born, Parallel "
        "Computing 17 (1991)",
    ),
    Terrain(
        name="ackley",
        title="Ackley's function",
        function=functions.ackley,
        bounds=((-5.0, 5.0), (-5.0, 5.0)),
        minima=_ackley(),
        starts=((2.4, -3.3), (0.4, -0.3), (-4.5, 0.5)),
        learning_rates={"sgd": 0.01, "momentum": 0.005, "rmsprop": 0.001, "adam": 0.05},
        formula=r"-20 \exp\left(-0.2 \sqrt{\frac{x^2 + y^2}{2}}\right) - "
        r"\exp\left(\frac{\cos 2 \pi x + \cos 2 \pi y}{2}\right) + 20 + e",
        about="The lowest minimum is a kink: the slope stays near 3 right up to it, so that a constant "
        "rate never settles there.",
        source="Ackley, A Connectionist Machine for Genetic Hillclimbing, Kluwer, 1987",
    ),
)

TERRAINS: dict[str, Terrain] = {terrain.name: terrain for terrain in _ALL}


def by_name(name: str) -> Terrain:
    """Find a terrain by its name; capitals, hyphens, blanks and underscores are all one.

    Examples:
        >>> by_name("Six-hump camel").minima[0].value
        -1.0316284534898774

    Raises:
        FalllineError: if there is no such terrain; the nearest is named.
    """
    return lookup("terrain", TERRAINS, name.strip().lower().replace("-", "_").replace(" ", "_"))
