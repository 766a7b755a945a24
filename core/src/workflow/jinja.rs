//! The Jinja of workflows, made small.
//!
//! A plugin may have written what is worked out, so that nothing is known here that can make much of little: no
//! statements, no functions, no `*`, and of the filters those that give no more than they are given. The fuel pays for
//! each step and for the bytes on the way, and what comes out is written to a bound.

use std::{
    io::{self, Write},
    sync::LazyLock,
};

use minijinja::{
    Environment, Error, ErrorKind, Expression, Template, UndefinedBehavior, filters,
    machinery::{Token, tokenize},
    syntax::SyntaxConfig,
    tests,
    value::{Kwargs, Value as Found},
};

/// So many steps an expression or a text may take, each of which pays for 64 bytes as well.
const FUEL: u64 = 50_000;
/// So many words and signs an expression may have: each may stand for all that a run knows.
const TOKENS: usize = 200;
/// All that the expressions of a step, or of the outputs, may come to in JSON, in bytes.
pub(super) const MOST: usize = 4 << 20;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    add_filters(&mut environment);
    add_tests(&mut environment);
    environment.set_formatter(|out, _, value| Ok(out.write_str(&text(value)?)?));
    environment
});

/// An expression, ready to be worked out.
pub(super) fn compiled(expression: &str) -> Result<Expression<'static, 'static>, Error> {
    check(expression, true)?;
    ENVIRONMENT.compile_expression_owned(expression.to_owned())
}

/// A text with expressions.
pub(super) fn template(text: &str) -> Result<Template<'_, '_>, Error> {
    check(text, false)?;
    ENVIRONMENT.template_from_str(text)
}

fn add_filters(environment: &mut Environment<'_>) {
    environment.add_filter("abs", filters::abs);
    environment.add_filter("bool", filters::bool);
    environment.add_filter("capitalize", filters::capitalize);
    environment.add_filter("default", filters::default);
    environment.add_filter("first", filters::first);
    environment.add_filter("float", filters::float);
    environment.add_filter("int", filters::int);
    environment.add_filter("items", filters::items);
    environment.add_filter("join", filters::join);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("lines", filters::lines);
    environment.add_filter("list", filters::list);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("map", map);
    environment.add_filter("max", filters::max);
    environment.add_filter("min", filters::min);
    environment.add_filter("reject", filters::reject);
    environment.add_filter("rejectattr", filters::rejectattr);
    environment.add_filter("reverse", filters::reverse);
    environment.add_filter("round", filters::round);
    environment.add_filter("select", filters::select);
    environment.add_filter("selectattr", filters::selectattr);
    environment.add_filter("sort", filters::sort);
    environment.add_filter("split", filters::split);
    environment.add_filter("string", |value: &Found| text(value));
    environment.add_filter("title", filters::title);
    environment.add_filter("tojson", |value: &Found| json(value));
    environment.add_filter("trim", filters::trim);
    environment.add_filter("upper", filters::upper);
}

fn add_tests(environment: &mut Environment<'_>) {
    environment.add_test("boolean", tests::is_boolean);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("endingwith", tests::is_endingwith);
    environment.add_test("eq", tests::is_eq);
    environment.add_test("even", tests::is_even);
    environment.add_test("false", tests::is_false);
    environment.add_test("float", tests::is_float);
    environment.add_test("ge", tests::is_ge);
    environment.add_test("gt", tests::is_gt);
    environment.add_test("in", tests::is_in);
    environment.add_test("integer", tests::is_integer);
    environment.add_test("le", tests::is_le);
    environment.add_test("lt", tests::is_lt);
    environment.add_test("mapping", tests::is_mapping);
    environment.add_test("ne", tests::is_ne);
    environment.add_test("none", tests::is_none);
    environment.add_test("number", tests::is_number);
    environment.add_test("odd", tests::is_odd);
    environment.add_test("sequence", tests::is_sequence);
    environment.add_test("startingwith", tests::is_startingwith);
    environment.add_test("string", tests::is_string);
    environment.add_test("true", tests::is_true);
    environment.add_test("undefined", tests::is_undefined);
}

/// The members of a name, one of each item; filters and defaults would put the same in the place of many.
fn map(items: &Found, named: Kwargs) -> Result<Vec<Found>, Error> {
    let attribute: &str = named.get("attribute")?;
    named.assert_all_used()?;
    items.try_iter()?.map(|item| item.get_attr(attribute)).collect()
}

/// Refuses what is known to Jinja and not here.
fn check(text: &str, is_expression: bool) -> Result<(), Error> {
    let mut tokens = 0;
    for token in tokenize(text, is_expression, SyntaxConfig::default()) {
        let why = match token?.0 {
            Token::BlockStart => "there are no statements (`{% … %}`) here, expected `{{ … }}`",
            Token::Mul => "there is no `*` here",
            _ if tokens > TOKENS => "an expression is longer than 200 words and signs",
            Token::VariableStart => {
                tokens = 0;
                continue;
            }
            _ => {
                tokens += 1;
                continue;
            }
        };
        return Err(Error::new(ErrorKind::InvalidOperation, why));
    }
    Ok(())
}

/// In a text, too, a value is what it is in JSON.
fn text(value: &Found) -> Result<String, Error> {
    match value.as_str() {
        _ if value.is_undefined() => Err(ErrorKind::UndefinedError.into()),
        Some(text) => Ok(text.to_owned()),
        None => json(value),
    }
}

/// A value as JSON on one line, where it is not more than [`MOST`].
pub(super) fn json(value: &Found) -> Result<String, Error> {
    let mut written = Bounded(Vec::new());
    serde_json::to_writer(&mut written, value)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    String::from_utf8(written.0).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// Takes [`MOST`] bytes.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MOST {
            return Err(io::Error::other(too_much()));
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn too_much() -> String {
    format!("it comes to more than {} MiB", MOST >> 20)
}
