//! Text forms of durations and times, the same at the ingress, the admin API and in settings; and what
//! must not be shown ([`secret`]).

pub mod duration;
pub(crate) mod secret;
pub mod time;

#[cfg(test)]
mod tests;
