# Recipes for working on AstrOS. `just` comes with the package just-bin; nothing here needs it, each line runs by hand.

# List the recipes
default:
    @just --list

# Build everything, plugins included
[group('build')]
build:
    cargo build --workspace

# Organize a folder with the bundled plugins
[group('build')]
demo folder:
    cargo build --release --workspace
    target/release/astros ask "organize the files in {{ folder }} by type"

# Hold format and lints
[group('test')]
lint:
    tests/run lint

# Run every test, as CI does
[group('test')]
test:
    tests/run

# Let everything fail at once for ten minutes, or so many seconds
[group('test')]
soak seconds="600":
    ASTROS_SOAK_SECONDS={{ seconds }} cargo test --release -p astros-tests --test soak -- --nocapture

# Fuzz one target, or all of them, each for so many seconds (needs cargo-fuzz): just fuzz envelope 60
[group('test')]
fuzz *args:
    tests/fuzz/run {{ args }}

# Hold every mutant against every rule of the protocol; takes minutes
[group('test')]
mutants:
    ASTROS_MUTANTS=all cargo test -p astros-conformance --test mutants -- --nocapture

# Check dependencies for advisories and licences (needs cargo-deny)
[group('test')]
audit:
    cargo deny check

# Measure against the limit of the machine and against peers
[group('test')]
bench *args:
    tests/bench/run {{ args }}

# Write schemas and reference anew from the types
[group('docs')]
generate:
    cargo run --quiet -p astros-protocol --example generate --features manifest

# Build the book (needs mdbook)
[group('docs')]
book:
    mdbook build docs

# All that CI runs
[group('test')]
ci: test
