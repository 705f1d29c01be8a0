"""How a directory that folds case compares names."""

# What such a directory leaves out of a comparison: the ranges of Default_Ignorable_Code_Point (Unicode,
# DerivedCoreProperties.txt). Linux folds by NFDICF, which drops them: Documentation/admin-guide/ext4.rst.
_IGNORED = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
    *((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF)),
    *((0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)


def folded(name: str) -> str:
    """Give a name as the tables have it, if a directory that folds case takes it for one of theirs."""
    if name.isascii():
        return name.lower()
    return "".join(char for char in name.casefold() if not any(low <= ord(char) <= high for low, high in _IGNORED))
