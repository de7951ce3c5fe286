// RGB to grey by each library's own formula.
#pragma once

#include "image/decode.h"
#include "tensor/array.h"

namespace assay {

// [height, width, 3] in RGB order, uint8 or float32, to [height, width, 1] of the same type. Pillow has no float
// pictures of several channels: float32 with it is our own bug.
Array ToGrey(const Array& rgb, Decoder library);
// The last of three channels first. Its own inverse.
void ReverseChannels(Array* image);

}  // namespace assay
