"""The forward stage: what the journal holds reaches each platform, at its own pace, with its own cursor."""
