// How the two sides' inputs relate on the same samples: the same, scaled and shifted, inverted, turned, moved, in
// another channel order. And what the labels say of inputs that both sides share but that neither may have been trained
// on.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compare/study.h"

namespace assay::compare {

// What turns one input into another: first the picture is moved, then y = scale * x + offset.
struct InputChange {
  Cause cause = Cause::kNone;
  std::string name;  // "transposed", "flipped left to right", "moved by 3 right and 2 down", ...
  bool transpose = false, flip_vertical = false, flip_horizontal = false, reverse_channels = false;
  int shift_x = 0, shift_y = 0;  // pixels that the picture moves right and down; what comes in is 0
  double scale = 1, offset = 0;

  bool MovesPixels() const {
    return transpose || flip_vertical || flip_horizontal || reverse_channels || shift_x != 0 || shift_y != 0;
  }
};

// Applies to [batch, height, width, channels] (or [batch, height, width]); other shapes only scale and shift. A
// transposition needs height = width. None where the change does not fit the shape.
std::optional<std::vector<float>> ApplyChange(const InputChange& change, const std::vector<float>& values,
                                              const Shape& shape);

// The moves of a picture that a wrong loader could make, the identity first.
std::vector<InputChange> PictureMoves(const Shape& shape);
// A move by so many pixels, one of them not 0.
InputChange PictureShift(int right, int down);

struct InputRelation {
  InputChange change;    // the model's input is about change(reference's input); cause kNone: they are the same
  double explained = 1;  // share of the variance of the model's input
  double clipped = 0;    // share of the reference's values that the model's input cannot hold
  double reference_low = 0, reference_high = 0, model_low = 0, model_high = 0;  // observed
  double representable_low = 0, representable_high = 0;                         // of a quantized model input
  std::string sentence;
};

// The relation of the first input that differs; cause kNone where all are the same within the model's quantization.
InputRelation RelateInputs(const Study& study);

}  // namespace assay::compare
