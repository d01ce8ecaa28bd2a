# The library: turns titles into slugs. POSIX sh; source it.

# slugify TITLE: lower case, everything but letters and digits becomes one dash, none at the ends.
slugify() {
    printf '%s\n' "$1" | tr '[:upper:]' '[:lower:]' | tr -cs 'a-z0-9\n' '-' | sed -e 's/^-//' -e 's/-$//'
}

# article TITLE: the title without an article at its beginning.
article() {
    printf '%s\n' "$1" | sed -e 's/^[Tt]he //' -e 's/^[Aa] //'
}
