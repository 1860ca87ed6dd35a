"""Holds what can be ordered, by closed choices alone, and the site's terms: hours, cut-off, counts.

Nothing that leaves a room is free text: a robot is no messenger.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from contracts.devices import Named
from contracts.envelope import Strict
from contracts.units import RoomId, UtcMs

DishId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
LocalTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""``HH:MM`` in the site's time zone."""
Weekday = Annotated[int, Field(ge=1, le=7)]
"""1 is Monday."""


class DeliveryKind(StrEnum):
    """What is carried. All but meals need the supervisor's approval."""

    MEAL = "meal"
    PAPERS = "papers"
    DEVICE = "device"
    MEDICINE = "medicine"

    @property
    def needs_approval(self) -> bool:
        """Whether a supervisor must say yes before a robot is sent."""
        return self is not DeliveryKind.MEAL


class Allergen(StrEnum):
    """What a dish contains or a person must avoid: the eight groups of GB 7718, and sesame."""

    GLUTEN = "gluten"
    CRUSTACEANS = "crustaceans"
    FISH = "fish"
    EGG = "egg"
    PEANUT = "peanut"
    SOY = "soy"
    MILK = "milk"
    NUTS = "nuts"
    SESAME = "sesame"


class Diet(StrEnum):
    """Whom a dish suits."""

    VEGETARIAN = "vegetarian"
    VEGAN = "vegan"
    HALAL = "halal"
    LOW_SALT = "low_salt"
    LOW_SUGAR = "low_sugar"
    SOFT = "soft"


class Course(StrEnum):
    """Which part of a meal a dish is."""

    MAIN = "main"
    SIDE = "side"
    DRINK = "drink"


class Portion(StrEnum):
    """How much of it."""

    SMALL = "small"
    REGULAR = "regular"
    LARGE = "large"


class Cutlery(StrEnum):
    """What it is eaten with."""

    CHOPSTICKS = "chopsticks"
    SPOON = "spoon"
    FORK = "fork"
    NONE = "none"


# What each closed choice is called: tables of names, one a type, so that none lacks its word. They
# are alike in shape only.
ALLERGENS: Final[Mapping[Allergen, Named]] = {
    Allergen.GLUTEN: Named(zh="麸质", en="gluten"),
    Allergen.CRUSTACEANS: Named(zh="甲壳类", en="crustaceans"),
    Allergen.FISH: Named(zh="鱼类", en="fish"),
    Allergen.EGG: Named(zh="蛋类", en="egg"),
    Allergen.PEANUT: Named(zh="花生", en="peanut"),
    Allergen.SOY: Named(zh="大豆", en="soy"),
    Allergen.MILK: Named(zh="乳", en="milk"),
    Allergen.NUTS: Named(zh="坚果", en="nuts"),
    Allergen.SESAME: Named(zh="芝麻", en="sesame"),
}
DIETS: Final[Mapping[Diet, Named]] = {
    Diet.VEGETARIAN: Named(zh="素食", en="vegetarian"),
    Diet.VEGAN: Named(zh="纯素", en="vegan"),
    Diet.HALAL: Named(zh="清真", en="halal"),
    Diet.LOW_SALT: Named(zh="低盐", en="low salt"),
    Diet.LOW_SUGAR: Named(zh="低糖", en="low sugar"),
    Diet.SOFT: Named(zh="软食", en="soft food"),
}
PORTIONS: Final[Mapping[Portion, Named]] = {
    Portion.SMALL: Named(zh="小份", en="small"),
    Portion.REGULAR: Named(zh="标准份", en="regular"),
    Portion.LARGE: Named(zh="大份", en="large"),
}
CUTLERY: Final[Mapping[Cutlery, Named]] = {
    Cutlery.CHOPSTICKS: Named(zh="筷子", en="chopsticks"),
    Cutlery.SPOON: Named(zh="勺子", en="spoon"),
    Cutlery.FORK: Named(zh="叉子", en="fork"),
    Cutlery.NONE: Named(zh="不需要餐具", en="no cutlery"),
}
KINDS: Final[Mapping[DeliveryKind, Named]] = {
    DeliveryKind.MEAL: Named(zh="餐食", en="meal"),
    DeliveryKind.PAPERS: Named(zh="文件", en="papers"),
    DeliveryKind.DEVICE: Named(zh="设备", en="device"),
    DeliveryKind.MEDICINE: Named(zh="药品", en="medicine"),
}


class Dish(Strict):
    """One choice of the menu: a dish, a drink, or a thing of another ``kind``.

    ``days`` empty: every day; ``from_local`` and ``until_local`` bound the hours in which it is
    served (over midnight where the second is earlier). ``boxes``: how many a portion fills.
    """

    id: DishId
    name: Named
    kind: DeliveryKind = DeliveryKind.MEAL
    course: Course = Course.MAIN
    allergens: tuple[Allergen, ...] = Field(default=(), max_length=len(Allergen))
    diets: tuple[Diet, ...] = Field(default=(), max_length=len(Diet))
    portions: tuple[Portion, ...] = Field(default=(Portion.REGULAR,), min_length=1, max_length=3)
    days: tuple[Weekday, ...] = Field(default=(), max_length=7)
    from_local: LocalTime | None = None
    until_local: LocalTime | None = None
    boxes: int = Field(default=1, ge=0, le=4)
    sold_out: bool = False

    @model_validator(mode="after")
    def _both_hours(self) -> Self:
        if (self.from_local is None) != (self.until_local is None):
            raise ValueError("from_local and until_local: give both, or neither")
        if self.from_local is not None and self.from_local == self.until_local:
            raise ValueError("until_local: must differ from from_local")
        return self


_BOTH: Final = (Portion.REGULAR, Portion.LARGE)

DEFAULT_DISHES: Final = (
    Dish(
        id="box-standard",
        name=Named(zh="标准盒饭", en="Set lunch"),
        allergens=(Allergen.SOY, Allergen.EGG),
        portions=_BOTH,
    ),
    Dish(
        id="box-vegetarian",
        name=Named(zh="素食盒饭", en="Vegetarian lunch"),
        allergens=(Allergen.SOY,),
        diets=(Diet.VEGETARIAN, Diet.LOW_SALT),
        portions=_BOTH,
    ),
    Dish(
        id="box-halal",
        name=Named(zh="清真盒饭", en="Halal lunch"),
        diets=(Diet.HALAL,),
        portions=_BOTH,
    ),
    Dish(
        id="noodles",
        name=Named(zh="牛肉面", en="Beef noodles"),
        allergens=(Allergen.GLUTEN, Allergen.SOY),
        portions=_BOTH,
    ),
    Dish(id="soup", name=Named(zh="例汤", en="Soup of the day"), course=Course.SIDE, boxes=0),
    Dish(id="tea", name=Named(zh="热茶", en="Hot tea"), course=Course.DRINK, boxes=0),
    Dish(id="water", name=Named(zh="矿泉水", en="Water"), course=Course.DRINK, boxes=0),
    Dish(id="paper", name=Named(zh="空白纸", en="Blank paper"), kind=DeliveryKind.PAPERS),
    Dish(id="documents", name=Named(zh="招标文件", en="Tender papers"), kind=DeliveryKind.PAPERS),
    Dish(id="calculator", name=Named(zh="计算器", en="Calculator"), kind=DeliveryKind.DEVICE),
    Dish(id="charger", name=Named(zh="充电器", en="Charger"), kind=DeliveryKind.DEVICE),
    Dish(
        id="own-medicine",
        name=Named(zh="自带药品", en="Medicine left at the gate"),
        kind=DeliveryKind.MEDICINE,
    ),
    Dish(id="first-aid", name=Named(zh="急救包", en="First-aid kit"), kind=DeliveryKind.MEDICINE),
)
"""What can be ordered where nothing else is set."""


class MealTime(Strict):
    """Hours that the kitchen cooks for: an order into them comes ``cut_off_min`` before they begin.

    ``until_local`` earlier than ``from_local``: over midnight.
    """

    id: DishId
    name: Named
    from_local: LocalTime
    until_local: LocalTime
    cut_off_min: int = Field(default=60, ge=0, le=2_880)

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.from_local == self.until_local:
            raise ValueError("until_local: must differ from from_local")
        return self


DEFAULT_MEALS: Final = (
    MealTime(
        id="lunch",
        name=Named(zh="午餐", en="lunch"),
        from_local="11:00",
        until_local="13:30",
    ),
    MealTime(
        id="dinner",
        name=Named(zh="晚餐", en="dinner"),
        from_local="17:00",
        until_local="19:30",
    ),
)


class OrderTerms(Strict):
    """What the kitchen takes on: times in minutes, counts in portions and boxes.

    ``boxes``: all that the house owns; one is free again ``box_back_min`` after its window.
    ``at_once``: whether an order without a window is taken.
    """

    meals: tuple[MealTime, ...] = Field(default=DEFAULT_MEALS, max_length=12)
    prepare_min: int = Field(default=10, ge=0, le=240)
    window_min: int = Field(default=10, ge=5, le=120)
    window_max: int = Field(default=120, ge=10, le=480)
    ahead_days: int = Field(default=7, ge=1, le=31)
    boxes: int = Field(default=91, ge=1, le=2_000)  # 13 rooms x 7 people
    boxes_per_compartment: int = Field(default=9, ge=1, le=40)
    box_back_min: int = Field(default=180, ge=0, le=1_440)
    portions_per_meal: int = Field(default=24, ge=1, le=200)
    portions_per_day: int = Field(default=72, ge=1, le=600)
    at_once: bool = True

    @model_validator(mode="after")
    def _widths(self) -> Self:
        if self.window_max < self.window_min:
            raise ValueError("window_max: must not be less than window_min")
        return self


class MenuBody(Strict):
    """The whole menu and its terms, as the kitchen wants them from now on."""

    dishes: tuple[Dish, ...] = Field(min_length=1, max_length=100)
    terms: OrderTerms = OrderTerms()

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        for what, ids in (
            ("dishes", [row.id for row in self.dishes]),
            ("terms.meals", [row.id for row in self.terms.meals]),
        ):
            twice = sorted({one for one in ids if ids.count(one) > 1})
            if twice:
                raise ValueError(f"{what}: the id {twice[0]!r} stands there twice")
        return self


class MenuView(Strict):
    """The menu in force. ``changed_by`` empty: it is that of the controller's settings.

    ``former``: dishes that have left it, for the names of what was ordered before.
    """

    dishes: tuple[Dish, ...]
    terms: OrderTerms
    revision: int = 0
    changed_by: str = ""
    changed_utc_ms: UtcMs | None = None
    former: tuple[Dish, ...] = ()


class StandingBody(Strict):
    """A recurring order: at this time every sealed room gets this dish, a portion a person.

    ``rooms`` None: every room that is sealed then. ``days`` empty: every day. It is ordered
    ``ahead_min`` before its window, for as many as are checked in then.
    """

    dish: DishId
    at_local: LocalTime
    plus_minus_min: int = Field(default=10, ge=5, le=60)
    ahead_min: int = Field(default=60, ge=20, le=720)
    days: tuple[Weekday, ...] = Field(default=(), max_length=7)
    rooms: tuple[RoomId, ...] | None = Field(default=None, max_length=100)
    cutlery: Cutlery = Cutlery.CHOPSTICKS
    active: bool = True


class StandingView(Strict):
    """A recurring order. ``last_day``: the local day of its last round, ``YYYY-MM-DD``."""

    id: str
    body: StandingBody
    made_by: str
    made_utc_ms: UtcMs
    last_day: str = ""


class SuggestionView(Strict):
    """How many portions a room needs, and from what that is known."""

    room_id: RoomId
    people: int
    source: str
    """``check_in``, ``seen`` (head count), ``admitted``, or ``none``: no session holds the room."""
    earliest_utc_ms: UtcMs
    """When a robot can be at the door, ordered now."""


class ArrivalView(Strict):
    """When an order comes to its door: an estimate. ``about_utc_ms`` None: nobody knows now.

    ``late``: later than the window that was wished.
    """

    delivery_id: str
    about_utc_ms: UtcMs | None = None
    late: bool = False


class MealCount(Strict):
    """So many portions of one dish to one room on one local day."""

    day: str
    room_id: RoomId
    dish: DishId
    name: Named
    ordered: int = 0
    collected: int = 0
    returned: int = 0
    cancelled: int = 0


class MealCounts(Strict):
    """What accounting asks for. ``complete`` false: the range holds more than is read at once."""

    from_day: str
    to_day: str
    rows: tuple[MealCount, ...]
    complete: bool = True
