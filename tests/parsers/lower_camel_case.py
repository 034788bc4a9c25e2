"""Names as protojson writes them by default."""


def camelled(value):
    """A value with the keys of all its objects in lowerCamelCase."""
    if isinstance(value, dict):
        return {_camel(key): camelled(item) for key, item in value.items()}
    return [camelled(item) for item in value] if isinstance(value, list) else value


def _camel(name):
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)
