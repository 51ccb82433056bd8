//! From a job to a finished task.
