#include "compare/inputs.h"

#include <algorithm>
#include <cmath>

#include "compare/words.h"
#include "tensor/real_values.h"

namespace assay::compare {
namespace {

constexpr int kMaxShift = 8;
constexpr size_t kShiftSamples = 4;
constexpr double kFewCodes = 43;     // a sixth of 8 bits: an input that fills no more was calibrated on something else
constexpr double kExplained = 0.97;  // of the variance: then the relation counts as found

struct Picture {
  int64_t batch = 0, height = 0, width = 0, channels = 0;
};

std::optional<Picture> AsPicture(const Shape& shape) {
  if (shape.rank() == 4) return Picture{shape[0], shape[1], shape[2], shape[3]};
  if (shape.rank() == 3) return Picture{shape[0], shape[1], shape[2], 1};
  return std::nullopt;
}

// Least squares of model = scale * reference + offset.
struct Fit {
  double scale = 1, offset = 0, explained = 0;
};

class FitSums {
 public:
  void Add(double x, double y) {
    ++n_;
    x_ += x, y_ += y, xx_ += x * x, yy_ += y * y, xy_ += x * y;
  }
  Fit Solve() const {
    Fit fit;
    if (n_ == 0) return fit;
    const double n = static_cast<double>(n_);
    const double var_x = xx_ - x_ * x_ / n, var_y = yy_ - y_ * y_ / n, cov = xy_ - x_ * y_ / n;
    if (!(var_x > 0) || !(var_y > 0)) {
      fit.offset = (y_ - x_) / n;
      return fit;
    }
    fit.scale = cov / var_x;
    fit.offset = (y_ - fit.scale * x_) / n;
    fit.explained = cov * cov / (var_x * var_y);
    return fit;
  }

 private:
  int64_t n_ = 0;
  double x_ = 0, y_ = 0, xx_ = 0, yy_ = 0, xy_ = 0;
};

Fit FitChange(const InputChange& change, const std::vector<std::vector<float>>& reference,
              const std::vector<std::vector<float>>& model, const Shape& shape, size_t samples) {
  FitSums sums;
  for (size_t s = 0; s < std::min(samples, reference.size()); ++s) {
    const auto moved = ApplyChange(change, reference[s], shape);
    if (!moved.has_value()) return {};
    for (size_t i = 0; i < moved->size(); ++i) {
      sums.Add(static_cast<double>((*moved)[i]), static_cast<double>(model[s][i]));
    }
  }
  return sums.Solve();
}

// The usual ranges of pixels; feeding one where another was meant is the commonest fault of all.
constexpr double kPixelRanges[][2] = {{0, 1}, {-1, 1}, {0, 255}, {-0.5, 0.5}, {-128, 127}, {0, 2}, {0, 0.5}};

// A change from one usual range to another, followed by the clipping that the model's codes bring: where most values
// clip, least squares cannot see it.
std::optional<std::pair<InputChange, double>> ClippedRangeChange(const std::vector<std::vector<float>>& reference,
                                                                 const std::vector<std::vector<float>>& model,
                                                                 const RealRange& range) {
  double sum = 0, squares = 0;
  int64_t count = 0;
  for (const std::vector<float>& values : model) {
    for (const float y : values) {
      sum += static_cast<double>(y), squares += static_cast<double>(y) * static_cast<double>(y);
      ++count;
    }
  }
  const double variance = squares - sum * sum / static_cast<double>(std::max<int64_t>(count, 1));
  std::optional<std::pair<InputChange, double>> found;
  double least = (1 - kExplained) * variance;
  for (const auto& from : kPixelRanges) {
    for (const auto& to : kPixelRanges) {
      const double scale = (to[1] - to[0]) / (from[1] - from[0]), offset = to[0] - scale * from[0];
      if (scale == 1 && offset == 0) continue;
      double error = 0;
      for (size_t s = 0; s < reference.size() && error < least; ++s) {
        for (size_t i = 0; i < reference[s].size(); ++i) {
          const double fed = std::clamp(scale * static_cast<double>(reference[s][i]) + offset, range.low, range.high);
          error += (fed - static_cast<double>(model[s][i])) * (fed - static_cast<double>(model[s][i]));
        }
      }
      if (error >= least) continue;
      least = error;
      found.emplace(InputChange{}, 1 - error / variance);
      found->first.cause = Cause::kInputRange;
      found->first.scale = scale, found->first.offset = offset;
    }
  }
  return found;
}

std::string OffsetText(double offset) {
  if (offset == 0) return "";
  return fmt::format(" {} {}", offset < 0 ? "minus" : "plus", NumberText(std::abs(offset)));
}

std::string RangeText(double low, double high) { return NumberText(low) + " to " + NumberText(high); }

// Moves by a few pixels, the one that fits best; coarse to fine would miss narrow strokes, so all are tried on a few
// samples.
InputChange BestShift(const std::vector<std::vector<float>>& reference, const std::vector<std::vector<float>>& model,
                      const Shape& shape, double* explained) {
  InputChange best;
  *explained = 0;
  const auto picture = AsPicture(shape);
  if (!picture.has_value()) return best;
  const int reach_x = static_cast<int>(std::min<int64_t>(kMaxShift, picture->width / 2));
  const int reach_y = static_cast<int>(std::min<int64_t>(kMaxShift, picture->height / 2));
  for (int dy = -reach_y; dy <= reach_y; ++dy) {
    for (int dx = -reach_x; dx <= reach_x; ++dx) {
      if (dx == 0 && dy == 0) continue;
      InputChange change = PictureShift(dx, dy);
      const double share = FitChange(change, reference, model, shape, kShiftSamples).explained;
      if (share <= *explained) continue;
      *explained = share;
      best = std::move(change);
    }
  }
  return best;
}

void Describe(InputRelation& relation) {
  InputChange& change = relation.change;
  const std::string arrives = RangeText(relation.model_low, relation.model_high);
  const std::string wanted = RangeText(relation.reference_low, relation.reference_high);
  switch (change.cause) {
    case Cause::kInputInverted:
      relation.sentence = fmt::format("the model's input is inverted: it is {} - {} * the reference's",
                                      NumberText(change.offset), NumberText(-change.scale));
      break;
    case Cause::kInputRange:
      if (relation.clipped > 0.005) {
        relation.sentence = fmt::format(
            "the model's input clips: its codes hold {}, the reference gets {}, and {:.1f} % of the values lie outside",
            RangeText(relation.representable_low, relation.representable_high), wanted, 100 * relation.clipped);
      } else {
        relation.sentence =
            fmt::format("the model's input arrives in {} where the reference gets {}: it is the reference's times {}{}",
                        arrives, wanted, NumberText(change.scale), OffsetText(change.offset));
        if (change.scale * relation.reference_high + change.offset > 1.01 * relation.representable_high ||
            change.scale * relation.reference_low + change.offset < 1.01 * relation.representable_low - 0.01) {
          relation.sentence += ", cut off at what its codes hold";
        }
      }
      break;
    case Cause::kInputDiffers:
      relation.sentence = fmt::format(
          "the two sides get different inputs ({} and {}), which no scale, offset, turn or shift explains ({:.0f} % of "
          "the "
          "variance is common)",
          wanted, arrives, 100 * relation.explained);
      break;
    default: {
      relation.sentence = fmt::format("the model's input is {}", change.name);
      if (std::abs(change.scale - 1) > 0.02 ||
          std::abs(change.offset) > 0.02 * (relation.model_high - relation.model_low)) {
        relation.sentence +=
            fmt::format(" (and then times {} plus {})", NumberText(change.scale), NumberText(change.offset));
      }
      break;
    }
  }
}

}  // namespace

std::optional<std::vector<float>> ApplyChange(const InputChange& change, const std::vector<float>& values,
                                              const Shape& shape) {
  std::vector<float> out(values.size(), 0.0F);
  if (change.MovesPixels()) {
    const auto picture = AsPicture(shape);
    if (!picture.has_value() || (change.transpose && picture->height != picture->width)) return std::nullopt;
    const auto [batch, height, width, channels] = *picture;
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t y = 0; y < height; ++y) {
        for (int64_t x = 0; x < width; ++x) {
          int64_t from_y = y - change.shift_y, from_x = x - change.shift_x;
          if (from_y < 0 || from_y >= height || from_x < 0 || from_x >= width) continue;
          if (change.flip_vertical) from_y = height - 1 - from_y;
          if (change.flip_horizontal) from_x = width - 1 - from_x;
          if (change.transpose) std::swap(from_x, from_y);
          for (int64_t c = 0; c < channels; ++c) {
            const int64_t from_c = change.reverse_channels ? channels - 1 - c : c;
            out[static_cast<size_t>(((b * height + y) * width + x) * channels + c)] =
                values[static_cast<size_t>(((b * height + from_y) * width + from_x) * channels + from_c)];
          }
        }
      }
    }
  } else {
    out = values;
  }
  if (change.scale != 1 || change.offset != 0) {
    for (float& value : out) value = static_cast<float>(change.scale * static_cast<double>(value) + change.offset);
  }
  return out;
}

InputChange PictureShift(int right, int down) {
  InputChange change;
  change.cause = Cause::kInputShifted;
  change.shift_x = right, change.shift_y = down;
  std::string way;
  if (right != 0) way = fmt::format("{} {}", std::abs(right), right > 0 ? "right" : "left");
  if (down != 0) {
    way += fmt::format("{}{} {}", way.empty() ? "" : " and ", std::abs(down), down > 0 ? "down" : "up");
  }
  change.name = "moved by " + way;
  return change;
}

std::vector<InputChange> PictureMoves(const Shape& shape) {
  std::vector<InputChange> moves(1);
  const auto picture = AsPicture(shape);
  if (!picture.has_value() || picture->height < 2 || picture->width < 2) return moves;
  const auto add = [&](Cause cause, const char* name, bool transpose, bool vertical, bool horizontal, bool channels) {
    InputChange change;
    change.cause = cause;
    change.name = name;
    change.transpose = transpose, change.flip_vertical = vertical, change.flip_horizontal = horizontal;
    change.reverse_channels = channels;
    moves.push_back(std::move(change));
  };
  if (picture->channels == 3)
    add(Cause::kInputChannelOrder, "in the reverse channel order (BGR for RGB)", false, false, false, true);
  add(Cause::kInputFlipped, "flipped left to right", false, false, true, false);
  add(Cause::kInputFlipped, "flipped upside down", false, true, false, false);
  add(Cause::kInputRotated, "turned by 180 degrees", false, true, true, false);
  if (picture->height == picture->width) {
    add(Cause::kInputTransposed, "transposed (rows and columns exchanged)", true, false, false, false);
    add(Cause::kInputRotated, "turned by 90 degrees to the right", true, false, true, false);
    add(Cause::kInputRotated, "turned by 90 degrees to the left", true, true, false, false);
    add(Cause::kInputTransposed, "transposed along the other diagonal", true, true, true, false);
  }
  return moves;
}

InputRelation RelateInputs(const Study& study) {
  InputRelation relation;
  std::optional<InputRelation> coarse;
  for (const int32_t input : study.model_graph().inputs) {
    if (!study.IsComparable(input)) continue;
    const graph::Tensor& tensor = study.model_tensor(input);
    const int32_t r = study.match_of(input);
    if (!study.traces[0].model.Has(input)) continue;
    const Shape shape = study.traces[0].model.at(input).shape();
    std::vector<std::vector<float>> reference, model;
    const bool coded = IsQuantizedInteger(tensor.dtype) && tensor.quantization.scale.size() == 1;
    const double step = coded ? static_cast<double>(tensor.quantization.scale[0]) : 0;
    const RealRange range = coded ? RangeOf(tensor.dtype, tensor.quantization) : RealRange{-HUGE_VAL, HUGE_VAL};
    double error_inside = 0, power = 0, error = 0;
    int64_t outside = 0, total = 0;
    relation = {};
    relation.representable_low = range.low, relation.representable_high = range.high;
    relation.reference_low = relation.model_low = HUGE_VAL, relation.reference_high = relation.model_high = -HUGE_VAL;
    for (const SampleTrace& trace : study.traces) {
      reference.push_back(RealValuesOf(trace.reference.at(r), study.reference_tensor(r)));
      model.push_back(RealValuesOf(trace.model.at(input), tensor));
      for (size_t i = 0; i < model.back().size(); ++i) {
        const auto x = static_cast<double>(reference.back()[i]), y = static_cast<double>(model.back()[i]);
        relation.reference_low = std::min(relation.reference_low, x);
        relation.reference_high = std::max(relation.reference_high, x);
        relation.model_low = std::min(relation.model_low, y), relation.model_high = std::max(relation.model_high, y);
        const bool clips = x < range.low - step / 2 || x > range.high + step / 2;
        outside += clips;
        if (!clips) error_inside += (x - y) * (x - y);
        error += (x - y) * (x - y);
        power += x * x;
        ++total;
      }
    }
    const auto n = static_cast<double>(std::max<int64_t>(1, total));
    relation.clipped = static_cast<double>(outside) / n;
    // Rounding alone gives step^2 / 12; floats may differ in the last digits.
    const double allowed = std::max(step * step / 3, 1e-6 * power / n);
    if (error / n <= allowed) {
      const double codes = (relation.reference_high - relation.reference_low) / std::max(step, 1e-300) + 1;
      if (coded && codes < kFewCodes && !coarse.has_value()) {
        coarse = relation;
        coarse->change.cause = Cause::kInputRange;
        coarse->sentence = fmt::format(
            "the model's input is far too coarse: its codes hold {}, the reference gets {}, which is {:.0f} "
            "of them",
            RangeText(range.low, range.high), RangeText(relation.reference_low, relation.reference_high),
            std::ceil(codes));
      }
      continue;
    }
    if (relation.clipped > 0.005 && error_inside / n <= allowed) {
      relation.change.cause = Cause::kInputRange;
      Describe(relation);
      return relation;
    }
    if (coded) {
      if (const auto clipped = ClippedRangeChange(reference, model, range)) {
        relation.change = clipped->first;
        relation.explained = clipped->second;
        Describe(relation);
        return relation;
      }
    }
    std::optional<InputChange> found;
    double best = 0;
    for (const InputChange& move : PictureMoves(shape)) {
      const Fit fit = FitChange(move, reference, model, shape, reference.size());
      // A later move has to be clearly better: flips hardly change symmetric pictures.
      if (fit.explained <= best + 0.01) continue;
      best = fit.explained;
      found = move;
      found->scale = fit.scale, found->offset = fit.offset;
    }
    if (best < kExplained) {
      double share = 0;
      InputChange shift = BestShift(reference, model, shape, &share);
      if (share > best + 0.02) {
        const Fit fit = FitChange(shift, reference, model, shape, reference.size());
        shift.scale = fit.scale, shift.offset = fit.offset;
        best = fit.explained;
        found = shift;
      }
    }
    relation.explained = best;
    relation.change = found.value_or(InputChange{});
    const double reference_span = relation.reference_high - relation.reference_low,
                 model_span = relation.model_high - relation.model_low;
    const bool other_span = reference_span > 2 * model_span || model_span > 2 * reference_span;
    if (best < 0.8 && !(other_span && best > 0.2 && relation.change.cause == Cause::kNone)) {
      relation.change.cause = Cause::kInputDiffers;
    } else if (relation.change.cause == Cause::kNone) {
      relation.change.cause = relation.change.scale < 0 ? Cause::kInputInverted : Cause::kInputRange;
    }
    Describe(relation);
    return relation;
  }
  if (coarse.has_value()) return *coarse;
  relation.change = {};
  return relation;
}

}  // namespace assay::compare
