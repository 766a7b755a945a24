//! What the host itself does for plugins: storage, log; and clear answers for what it does not do yet.

use std::sync::Arc;

use astros_peer::{Oddity, Responder};
use astros_protocol::{
    Error, ErrorCode, Request,
    log::LogParams,
    person::{UserAnswer, UserAsk},
    storage::{
        StorageDelete, StorageDeleteParams, StorageDeleteResult, StorageGet, StorageList, StorageListParams,
        StorageListResult, StorageSet, StorageSetResult,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::broadcast;

use crate::{
    services::storage::Store,
    supervisor::Event,
};
