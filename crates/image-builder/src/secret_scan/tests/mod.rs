//! Whole scans: planted secrets, hostile input, and the forms in which an image comes.

mod hostile;
mod planted;
mod sample_image;
