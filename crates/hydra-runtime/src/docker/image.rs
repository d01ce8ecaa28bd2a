//! Holds the image that is there against the one that was pinned.

use super::{
    engine::Engine,
    trouble::{explain, is_missing},
};
use crate::error::hinted;
use hydra_core::{
    job::ImageRef,
    ports::{RuntimeError, RuntimeErrorKind},
};

const BUILD_OR_PULL: &str = "build the images with `cargo xtask images`, or pull the one that the lock file pins";

impl Engine {
    /// The ID of the pinned image.
    pub(super) async fn image(&self, image: &ImageRef) -> Result<String, RuntimeError> {
        let wrong = |message: String| Err(hinted(RuntimeErrorKind::Image, message, BUILD_OR_PULL));
        let (name, pin) = (&image.name, &image.pin);
        let is_id = pin.starts_with("sha256:");
        if !is_id && !pin.contains("@sha256:") {
            return wrong(format!("the image {name} is not pinned by ID or digest, but named {pin:?}"));
        }
        match self.image_id(pin).await? {
            Some(id) if is_id && id != *pin => {
                wrong(format!("the engine has {id} under the pinned ID {pin} of {name}"))
            }
            Some(id) => Ok(id),
            None => wrong(match self.image_id(name).await? {
                Some(other) => format!("the image {name} is {other} here, and {pin} is pinned"),
                None => format!("the image {name} ({pin}) is not there"),
            }),
        }
    }

    /// What a name, an ID or a digest stands for; `None` when the engine has no such image.
    pub(super) async fn image_id(&self, name: &str) -> Result<Option<String>, RuntimeError> {
        match self.docker.inspect_image(name).await {
            Ok(found) => Ok(found.id),
            Err(cause) if is_missing(&cause) => Ok(None),
            // A name that cannot be one is no image either.
            Err(cause) if super::trouble::status(&cause) == Some(400) => Ok(None),
            Err(cause) => Err(explain(&format!("cannot look for the image {name}"), &cause)),
        }
    }
}
