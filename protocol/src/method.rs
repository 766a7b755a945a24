//! A method is a type that binds its name, its params and its result.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::ErrorCode;

/// A method that is answered.
pub trait Request {
    const METHOD: &'static str;
    /// Who sends it and what for, as the reference says it.
    const DOC: &'static str = "";
    /// What it may fail with, beside what every request may.
    const ERRORS: &'static [ErrorCode] = &[];
    type Params: Serialize + DeserializeOwned + JsonSchema;
    type Result: Serialize + DeserializeOwned + JsonSchema;
}

/// A method without an answer.
pub trait Notification {
    const METHOD: &'static str;
    /// Who sends it and what for, as the reference says it.
    const DOC: &'static str = "";
    type Params: Serialize + DeserializeOwned + JsonSchema;
}

/// Binds marker types to their methods: `request! { /// doc Name: "method", Params => Result, [ERROR, …]; }`.
macro_rules! request {
    ($($(#[doc = $doc:literal])* $name:ident: $method:literal, $params:ty => $result:ty, [$($error:ident),*];)*) => {$(
        $(#[doc = $doc])*
        pub enum $name {}

        impl $crate::Request for $name {
            const METHOD: &'static str = $method;
            const DOC: &'static str = concat!($($doc),*);
            const ERRORS: &'static [$crate::ErrorCode] = &[$($crate::ErrorCode::$error),*];
            type Params = $params;
            type Result = $result;
        }
    )*};
}

/// As `request!`, for notifications: `notification! { /// doc Name: "method", Params }`.
macro_rules! notification {
    ($($(#[doc = $doc:literal])* $name:ident: $method:literal, $params:ty;)*) => {$(
        $(#[doc = $doc])*
        pub enum $name {}

        impl $crate::Notification for $name {
            const METHOD: &'static str = $method;
            const DOC: &'static str = concat!($($doc),*);
            type Params = $params;
        }
    )*};
}

pub(crate) use {notification, request};
