"""One believable person's Todoist: the tasks, projects, labels and past weeks that every sandbox account starts with.

Days are counted from today, so that the account always looks as if somebody had been living in it.
"""

from dataclasses import dataclass
from typing import Literal

FULL_NAME = "Ada Brandt"
ZONE = "Europe/Berlin"
INBOX = "Inbox"
PROJECTS: tuple[tuple[str, str], ...] = (
    (INBOX, "charcoal"),
    ("Work", "blue"),
    ("Home", "olive_green"),
    ("Health", "red"),
    ("Friends & family", "orange"),
    ("Learning", "lavender"),
)
LABELS: tuple[tuple[str, str], ...] = (
    ("5min", "mint_green"),
    ("deep", "blue"),
    ("phone", "orange"),
    ("computer", "grey"),
    ("errand", "taupe"),
    ("waiting", "charcoal"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A task of the persona, told relative to today. `fixed` binds its time to the persona's zone."""

    content: str
    project: str
    priority: Literal[1, 2, 3, 4] = 1
    labels: tuple[str, ...] = ()
    due_in: int | None = None
    at: str | None = None
    fixed: bool = False
    every: str | None = None
    description: str = ""
    deadline_in: int | None = None
    minutes: int | None = None
    days: int | None = None
    age: int = 7


@dataclass(frozen=True, slots=True)
class Past:
    """Something done before: what, where, how many days ago, at which local hour and minute."""

    content: str
    project: str
    days_ago: int
    at: str


TASKS: tuple[Entry, ...] = (
    # Work
    Entry(content="Finish the onboarding sketches for Thursday's review", project="Work", priority=4, labels=("deep",),
          due_in=0, minutes=90, deadline_in=2, age=9),
    Entry(content="Answer Priya about the colour contrast of the chart legend", project="Work", priority=3,
          labels=("5min", "computer"), due_in=-2, age=5),
    Entry(content="Send the September invoice to Halden Studios", project="Work", priority=4, labels=("computer",),
          due_in=-6, age=20, description="Template: https://docs.example.com/invoices/template — total is 2 940 €"),
    Entry(content="Stand-up", project="Work", priority=2, due_in=0, every="every weekday at 09:30", minutes=15,
          age=200),
    Entry(content="Write the weekly note to the team", project="Work", priority=2, due_in=0,
          every="every friday at 16:00", minutes=25, age=160),
    Entry(content="Book the train to the Hamburg workshop", project="Work", priority=3, labels=("computer",), due_in=3,
          deadline_in=8, age=4),
    Entry(content="Call with Lisbon about the research panel", project="Work", priority=3, labels=("phone",), due_in=1,
          at="14:00", fixed=True, minutes=45, age=3),
    Entry(content="Clean up the component library: remove the four unused button variants", project="Work",
          labels=("deep",), minutes=120, age=45),
    Entry(content="Read the usability report before the planning meeting", project="Work", priority=2, due_in=2,
          at="11:00", minutes=40, age=2),
    Entry(content="Ask Tom whether the contract with the print shop can be moved to January", project="Work",
          labels=("waiting",), due_in=5, age=11),
    Entry(content="Back up the project drive", project="Work", due_in=-1, every="every 2 weeks", age=120),
    Entry(content="Prepare feedback for Mira's probation talk", project="Work", priority=4, due_in=4, at="10:00",
          labels=("deep",), minutes=60, age=6),
    Entry(content=(
        "Go through every comment in the design file of the settings page, sort them into now, later and never, "
        "and write down for each of the ones we drop why we drop it, so that nobody has to ask again"), project="Work",
          labels=("deep",), age=33),
    # Home
    Entry(content="Water the plants 🌱", project="Home", due_in=0, every="every 3 days", labels=("5min",), age=300),
    Entry(content="Take out the paper bin", project="Home", priority=2, due_in=1, every="every 2 weeks at 07:00",
          labels=("5min",), age=250),
    Entry(content="Descale the kettle", project="Home", due_in=-9, labels=("5min",), age=25),
    Entry(content="Pay the rent for the cellar", project="Home", priority=3, due_in=6, every="every 1st", age=400),
    Entry(content="Call the landlord about the dripping tap", project="Home", priority=3, labels=("phone",), due_in=-3,
          age=16, description="Ms Okafor, mornings only. The tap in the kitchen, cold side."),
    Entry(content="Renew the household insurance", project="Home", priority=4, labels=("computer",), due_in=9,
          deadline_in=14, minutes=30, age=30),
    Entry(content="Return the parcel to the shop", project="Home", labels=("errand",), due_in=0, deadline_in=3, age=6),
    Entry(content="Sort the box of cables", project="Home", age=140),
    Entry(content="Buy light bulbs (E14, warm) and AA batteries", project="Home", labels=("errand",), age=8),
    Entry(content="Sell the old bicycle", project="Home", labels=("computer",), age=75),
    # Health
    Entry(content="Take the vitamin D", project="Health", due_in=0, every="every day at 08:00", labels=("5min",),
          age=90),
    Entry(content="Run 5 km", project="Health", priority=2, due_in=0, every="every tue, thu, sun at 18:30", minutes=40,
          age=110),
    Entry(content="Make an appointment for the eye test", project="Health", priority=3, labels=("phone",), due_in=-14,
          age=40),
    Entry(content="Dentist", project="Health", priority=4, due_in=6, at="08:45", fixed=True, minutes=40, age=60,
          description="Dr. Sommer, second floor. Bring the card."),
    Entry(content="Stretch the shoulders", project="Health", due_in=0, every="every! day at 21:00", labels=("5min",),
          minutes=10, age=55),
    Entry(content="Send the physiotherapy bill to the insurance", project="Health", priority=2, labels=("computer",),
          due_in=2, age=12),
    # Friends and family
    Entry(content="Call Mum", project="Friends & family", priority=3, labels=("phone",), due_in=0,
          every="every sunday at 17:00", minutes=30, age=365),
    Entry(content="Find a birthday present for Jonas", project="Friends & family", priority=3, labels=("errand",),
          due_in=7, deadline_in=12, age=5, description="He mentioned the book about lighthouses."),
    Entry(content="Reply to Zoë about the weekend in the mountains", project="Friends & family", priority=2,
          labels=("5min",), due_in=-1, age=4),
    Entry(content="Plan the dinner with the neighbours", project="Friends & family", due_in=10, days=1, age=9),
    Entry(content="Write a postcard to Grandpa", project="Friends & family", labels=("5min",), age=28),
    Entry(content="Transfer the money for Kai's concert ticket", project="Friends & family", priority=2,
          labels=("5min", "computer"), due_in=0, age=3),
    # Learning
    Entry(content="Portuguese: one lesson", project="Learning", due_in=0, every="every day at 20:00", minutes=15,
          age=70),
    Entry(content="Read chapter 4 of “How Buildings Learn”", project="Learning", due_in=4, minutes=45, age=18),
    Entry(content="Watch the talk about variable fonts", project="Learning", labels=("computer",), minutes=35, age=50,
          description="https://video.example.com/talks/variable-fonts"),
    Entry(content="Hand in the pottery course registration", project="Learning", priority=3, due_in=3, at="18:00",
          deadline_in=3, age=7),
    # Inbox
    Entry(content="That idea: a map of quiet places", project=INBOX, age=2),
    Entry(content="Look up what the knocking noise of the washing machine could be", project=INBOX, due_in=1, age=1),
    Entry(content="Cancel the trial subscription", project=INBOX, priority=3, labels=("5min", "computer"), due_in=1,
          deadline_in=1, age=12),
)  # fmt: skip

PAST: tuple[Past, ...] = (
    Past("Order printer paper", "Work", 1, "09:05"),
    Past("Send the survey to the panel", "Work", 1, "11:20"),
    Past("Pick up the shoes from repair", "Home", 1, "17:45"),
    Past("Answer the tax office", "Home", 2, "20:10"),
    Past("Review Mira's wireframes", "Work", 2, "10:15"),
    Past("Call the bank about the new card", "Home", 3, "12:40"),
    Past("Wash the running clothes", "Health", 3, "19:30"),
    Past("Write the agenda for Monday", "Work", 3, "15:50"),
    Past("Buy a card for Lena", "Friends & family", 4, "18:05"),
    Past("Upload the icons", "Work", 5, "09:40"),
    Past("Book the dentist", "Health", 6, "10:30"),
    Past("Clean the coffee machine", "Home", 6, "11:15"),
    Past("Finish the poster for the street party", "Friends & family", 8, "21:20"),
    Past("Share the interview notes", "Work", 9, "14:10"),
    Past("Renew the library card", "Learning", 10, "16:30"),
    Past("Fix the wobbly chair", "Home", 12, "15:00"),
    Past("Compare the two prototypes", "Work", 13, "10:50"),
    Past("Send the photos to Zoë", "Friends & family", 15, "20:45"),
    Past("Blood donation", "Health", 17, "17:30"),
    Past("Draft the workshop outline", "Work", 19, "09:55"),
    Past("Order new filters", "Home", 21, "13:05"),
    Past("Read chapter 3 of “How Buildings Learn”", "Learning", 24, "21:40"),
)
