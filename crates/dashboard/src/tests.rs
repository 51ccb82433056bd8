//! Pages as a whole: what is in them for sample answers, for hostile names, and with nothing to show.

mod colours;
mod pages;
