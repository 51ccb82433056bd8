//! How the layers of an image are normalised and compressed.

use fargate_config::{LayerCompression, ManagedImage, ReproducibleBuild};

use super::layer_index::RewriteRules;
use crate::oci_layout::{GZIP_LAYER_TYPE, ZSTD_LAYER_TYPE};

/// How layers are compressed. All layers of an image are compressed in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayerFormat {
    /// zstd, as an OCI media type.
    Zstd {
        /// 1 to 19.
        level: u32,
    },
    /// gzip.
    Gzip {
        /// 1 to 9.
        level: u32,
    },
}

/// How an image is normalised.
#[derive(Clone, Copy, Debug)]
pub struct LayerRules {
    /// The latest time that files and history may have, in seconds since 1970: the time of the last commit,
    /// or `SOURCE_DATE_EPOCH`.
    pub latest_time: i64,
    /// Whether volatile files are left out.
    pub reproducible: ReproducibleBuild,
    /// How layers are compressed.
    pub format: LayerFormat,
    /// The layers above so many of the lowest ones become one.
    pub squash_above: Option<usize>,
}

impl LayerRules {
    /// Those of an image. `takes_zstd` says whether everything that will pull the image can read zstd;
    /// engines from version 23 on can.
    #[must_use]
    pub fn of(image: &ManagedImage, latest_time: i64, takes_zstd: bool) -> Self {
        let level = image.compression_level;
        let format = match image.compression {
            LayerCompression::Auto if takes_zstd => LayerFormat::Zstd { level },
            LayerCompression::Zstd => LayerFormat::Zstd { level },
            LayerCompression::Auto | LayerCompression::Gzip => {
                LayerFormat::Gzip { level: level.min(9) }
            }
        };
        Self { latest_time, reproducible: image.reproducible, format, squash_above: None }
    }

    /// The same, and the layers above the `base` lowest ones become one, if there is a number.
    #[must_use]
    pub fn squashed_above(self, base: Option<usize>) -> Self {
        Self { squash_above: base, ..self }
    }

    pub(super) fn media_type(&self) -> &'static str {
        match self.format {
            LayerFormat::Zstd { .. } => ZSTD_LAYER_TYPE,
            LayerFormat::Gzip { .. } => GZIP_LAYER_TYPE,
        }
    }

    pub(super) fn rewrite(&self) -> RewriteRules {
        RewriteRules { latest_time: self.latest_time, reproducible: self.reproducible }
    }
}
