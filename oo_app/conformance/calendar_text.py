"""Words as calendar files write them (RFC 5545)."""

WIDTH = 60  # characters a line; longer ones are folded (section 3.1)


def line(name: str, words: str) -> str:
    """Write a property that is a text: escaped, folded, with its line end."""
    told = f"{name}:" + words.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return "\r\n ".join(told[start : start + WIDTH] for start in range(0, len(told), WIDTH)) + "\r\n"
