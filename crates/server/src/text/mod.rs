//! Text forms of durations and times, the same at the ingress, the admin API and in settings.

pub mod duration;
pub mod time;

#[cfg(test)]
mod tests;
