#include "demo/digits.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/random.h"
#include "demo/digit_shapes.h"

namespace assay::demo {
namespace {

constexpr int kCurveSteps = 8;  // straight pieces per piece of a curve

// A straight piece of a stroke, in pixels, with the pen's radius at its ends.
struct Segment {
  Point from, to;
  double from_radius = 0, to_radius = 0;
};

// How one writer holds the pen for one digit: everything that maps the unit square of a shape onto the picture.
class Hand {
 public:
  explicit Hand(Random& random) {
    // A turn by 2 atan(t): cosine and sine as fractions of t, so that no library's rounding matters.
    const double t = std::clamp(random.Normal() * 0.075, -0.2, 0.2);
    cosine_ = (1 - t * t) / (1 + t * t);
    sine_ = 2 * t / (1 + t * t);
    slant_ = std::clamp(0.12 + random.Normal() * 0.25, -0.45, 0.7);
    height_ = random.Uniform(11.0, 22.0);
    width_ = height_ * random.Uniform(0.45, 1.0);
    center_.x = kDigitSide * 0.5 + std::clamp(random.Normal() * 1.8, -4.0, 4.0);
    center_.y = kDigitSide * 0.5 + std::clamp(random.Normal() * 1.6, -3.5, 3.5);
    for (double& bend : bends_) bend = random.Normal() * 0.13;
    jitter_ = random.Uniform(0.01, 0.065);
  }

  // The hand is never in the same place twice: a shape's point, moved a little.
  Point Jitter(Point p, Random& random) const {
    p.x += random.Normal() * jitter_;
    p.y += random.Normal() * jitter_;
    return p;
  }

  Point ToPixels(Point p) const {
    const double x = p.x - 0.5, y = p.y - 0.5;
    const double bent_x = x + bends_[0] * (x * x - 0.1) + bends_[1] * 2 * x * y + bends_[2] * (y * y - 0.1);
    const double bent_y = y + bends_[3] * (x * x - 0.1) + bends_[4] * 2 * x * y + bends_[5] * (y * y - 0.1);
    const double wide = (bent_x - slant_ * bent_y) * width_, high = bent_y * height_;
    return {center_.x + cosine_ * wide - sine_ * high, center_.y + sine_ * wide + cosine_ * high};
  }

 private:
  double cosine_ = 1, sine_ = 0, slant_ = 0, height_ = 0, width_ = 0, jitter_ = 0;
  Point center_;
  double bends_[6] = {};
};

// Catmull and Rom's spline through b and c at t in [0, 1], with a before and d behind.
double Spline(double a, double b, double c, double d, double t) {
  return 0.5 * (2 * b + t * ((c - a) + t * ((2 * a - 5 * b + 4 * c - d) + t * (3 * b - a - 3 * c + d))));
}

// The points between two corners become a smooth row of pixels' positions.
void AppendCurve(std::span<const Point> points, const Hand& hand, std::vector<Point>& path) {
  const size_t last = points.size() - 1;
  for (size_t i = 0; i < last; ++i) {
    const Point& b = points[i];
    const Point& c = points[i + 1];
    const Point a = i > 0 ? points[i - 1] : Point{2 * b.x - c.x, 2 * b.y - c.y};
    const Point d = i + 1 < last ? points[i + 2] : Point{2 * c.x - b.x, 2 * c.y - b.y};
    for (int step = i == 0 ? 0 : 1; step <= kCurveSteps; ++step) {
      const double t = static_cast<double>(step) / kCurveSteps;
      path.push_back(hand.ToPixels({Spline(a.x, b.x, c.x, d.x, t), Spline(a.y, b.y, c.y, d.y, t)}));
    }
  }
}

std::vector<Point> Trace(const Stroke& stroke, const Hand& hand, Random& random) {
  std::vector<Point> path, smooth;
  for (size_t i = 0; i < stroke.size(); ++i) {
    const bool corner = i > 0 && stroke[i].x == stroke[i - 1].x && stroke[i].y == stroke[i - 1].y;
    if (corner) {
      const Point turn = smooth.back();
      AppendCurve(smooth, hand, path);
      smooth.assign(1, turn);
    } else {
      smooth.push_back(hand.Jitter(stroke[i], random));
    }
  }
  AppendCurve(smooth, hand, path);
  return path;
}

// The pen's pressure changes along a stroke, linearly from its first to its last point.
void AppendSegments(const std::vector<Point>& path, double first_radius, double last_radius,
                    std::vector<Segment>& segments) {
  const double steps = static_cast<double>(path.size() - 1);
  const auto radius = [&](size_t i) {
    return first_radius + (last_radius - first_radius) * (static_cast<double>(i) / steps);
  };
  for (size_t i = 0; i + 1 < path.size(); ++i) segments.push_back({path[i], path[i + 1], radius(i), radius(i + 1)});
}

// The share of ink (0 to 1) at a pixel's middle: the pen's edge is one pixel soft.
double InkAt(double x, double y, const Segment& s) {
  const double dx = s.to.x - s.from.x, dy = s.to.y - s.from.y;
  const double length_squared = dx * dx + dy * dy;
  double along = 0;
  if (length_squared > 0) along = std::clamp(((x - s.from.x) * dx + (y - s.from.y) * dy) / length_squared, 0.0, 1.0);
  const double off_x = x - (s.from.x + along * dx), off_y = y - (s.from.y + along * dy);
  const double distance = std::sqrt(off_x * off_x + off_y * off_y);
  return std::clamp(s.from_radius + along * (s.to_radius - s.from_radius) + 0.5 - distance, 0.0, 1.0);
}

using Canvas = std::vector<double>;  // kDigitSide rows of kDigitSide values

size_t PixelIndex(int x, int y) { return static_cast<size_t>(y) * kDigitSide + static_cast<size_t>(x); }

void Draw(const std::vector<Segment>& segments, double strength, Canvas& canvas) {
  for (const Segment& s : segments) {
    const double reach = std::max(s.from_radius, s.to_radius) + 1;
    const auto clip = [](double v) { return static_cast<int>(std::clamp(v, 0.0, static_cast<double>(kDigitSide))); };
    const int left = clip(std::min(s.from.x, s.to.x) - reach), right = clip(std::max(s.from.x, s.to.x) + reach + 1);
    const int top = clip(std::min(s.from.y, s.to.y) - reach), bottom = clip(std::max(s.from.y, s.to.y) + reach + 1);
    for (int y = top; y < bottom; ++y) {
      for (int x = left; x < right; ++x) {
        double& pixel = canvas[PixelIndex(x, y)];
        pixel = std::max(pixel, strength * InkAt(x + 0.5, y + 0.5, s));
      }
    }
  }
}

// A binomial blur (1 2 1) in both directions, mixed with the sharp picture.
void Blur(double share, Canvas& canvas) {
  for (const int stride : {1, kDigitSide}) {
    const Canvas sharp = canvas;
    for (int i = 0; i < kDigitPixels; ++i) {
      const int position = stride == 1 ? i % kDigitSide : i / kDigitSide;
      const size_t here = static_cast<size_t>(i);
      const size_t step = static_cast<size_t>(stride);
      const double before = position > 0 ? sharp[here - step] : sharp[here];
      const double behind = position + 1 < kDigitSide ? sharp[here + step] : sharp[here];
      canvas[here] = (1 - share) * sharp[here] + share * 0.25 * (before + 2 * sharp[here] + behind);
    }
  }
}

// A stray line of the neighbour's writing, near an edge of the picture.
void DrawStray(Random& random, Canvas& canvas) {
  Segment stray;
  const bool upright = random.Chance(0.5), far_side = random.Chance(0.5);
  const double edge = random.Uniform(-0.5, 4.5), start = random.Uniform(0, kDigitSide - 6.0);
  const double length = random.Uniform(3.0, 13.0), drift = random.Uniform(-3.0, 3.0);
  const double across = far_side ? kDigitSide - edge : edge;
  stray.from = upright ? Point{across, start} : Point{start, across};
  stray.to = upright ? Point{across + drift, start + length} : Point{start + length, across + drift};
  stray.from_radius = stray.to_radius = random.Uniform(0.5, 1.2);
  const double strength = random.Uniform(0.4, 0.9);
  Draw({stray}, strength, canvas);
}

void DrawDigit(int digit, Random& random, std::span<uint8_t> pixels) {
  Canvas canvas(kDigitPixels, 0.0);
  if (random.Chance(0.5)) DrawStray(random, canvas);

  const auto shapes = ShapesOf(digit);
  const DigitShape& shape = shapes[random.Below(shapes.size())];
  const Hand hand(random);
  const double pen = random.Uniform(0.6, 1.6);
  std::vector<Segment> segments;
  for (const Stroke& stroke : shape.strokes) {
    const double first_radius = pen * random.Uniform(0.75, 1.2);
    const double last_radius = pen * random.Uniform(0.65, 1.1);
    AppendSegments(Trace(stroke, hand, random), first_radius, last_radius, segments);
  }
  Draw(segments, 1.0, canvas);
  Blur(random.Uniform(), canvas);

  // Light: the levels of ground and ink, each brighter towards one side; then grain.
  const double ground = random.Uniform(0.0, 70.0);
  const double contrast = random.Uniform(50.0, 185.0);
  const double slope_x = random.Uniform(-35.0, 35.0), slope_y = random.Uniform(-35.0, 35.0);
  const double grain = random.Uniform(2.0, 26.0);
  for (int y = 0; y < kDigitSide; ++y) {
    for (int x = 0; x < kDigitSide; ++x) {
      const size_t i = PixelIndex(x, y);
      const double across = (x + 0.5) / kDigitSide - 0.5, down = (y + 0.5) / kDigitSide - 0.5;
      const double light = ground + slope_x * across + slope_y * down + contrast * canvas[i] + grain * random.Normal();
      pixels[i] = static_cast<uint8_t>(std::clamp(light + 0.5, 0.0, 255.0));
    }
  }
}

void AppendBigEndian(uint32_t value, std::vector<uint8_t>& bytes) {
  for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<uint8_t>(value >> shift));
}

}  // namespace

DigitSet GenerateDigits(uint64_t seed, int64_t count) {
  ASSAY_CHECK(count >= 0 && count <= INT32_MAX / kDigitPixels);
  DigitSet set;
  set.labels.resize(static_cast<size_t>(count));
  set.images.resize(static_cast<size_t>(count) * kDigitPixels);
  for (size_t i = 0; i < set.labels.size(); ++i) set.labels[i] = static_cast<uint8_t>(i % kDigitClasses);
  Random shuffle(seed, ~uint64_t{0});
  for (size_t i = set.labels.size(); i > 1; --i) std::swap(set.labels[i - 1], set.labels[shuffle.Below(i)]);
  for (size_t i = 0; i < set.labels.size(); ++i) {
    Random random(seed, i);
    DrawDigit(set.labels[i], random, std::span(set.images).subspan(i * kDigitPixels, kDigitPixels));
  }
  return set;
}

void WriteIdx(const DigitSet& digits, const std::string& images_path, const std::string& labels_path) {
  const auto count = static_cast<uint32_t>(digits.count());
  std::vector<uint8_t> bytes;
  AppendBigEndian(0x00000803, bytes);  // unsigned bytes, three dimensions
  for (const uint32_t dim : {count, uint32_t{kDigitSide}, uint32_t{kDigitSide}}) AppendBigEndian(dim, bytes);
  bytes.insert(bytes.end(), digits.images.begin(), digits.images.end());
  WriteFileAtomically(images_path, bytes);
  bytes.clear();
  AppendBigEndian(0x00000801, bytes);
  AppendBigEndian(count, bytes);
  bytes.insert(bytes.end(), digits.labels.begin(), digits.labels.end());
  WriteFileAtomically(labels_path, bytes);
}

}  // namespace assay::demo
