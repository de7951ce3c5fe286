// How people write the ten digits: the strokes of several ways for each.
#pragma once

#include <span>

namespace assay::demo {

struct Point {
  double x = 0, y = 0;
};

// One movement of the pen: a smooth curve through the points; a point given twice is a corner.
using Stroke = std::span<const Point>;

// One way to write a digit, in the unit square: x to the right, y downwards.
struct DigitShape {
  std::span<const Stroke> strokes;
};

// The ways to write `digit` (0 to 9); at least three.
std::span<const DigitShape> ShapesOf(int digit);

}  // namespace assay::demo
