// TFLite_Detection_PostProcess: box encodings [1, n, >= 4], class scores [1, n, classes (+ 1 for the background)] and
// anchors [n, 4], each float32 or uint8, to boxes, classes, scores and their count. All engines run the same code.
#include <algorithm>

#include "graph/flexbuffer_map.h"
#include "kernels/ref/box_suppression.h"
#include "ops/checks.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

using kernels::ref::Box;
using kernels::ref::Dequantization;
using kernels::ref::Detection;

struct DetectionOptions {
  int32_t max_detections = 0, max_classes_per_detection = 0, detections_per_class = 0, num_classes = 0;
  bool use_regular_nms = false;
  float score_threshold = 0, iou_threshold = 0;
  kernels::ref::BoxScales scales;
};

DetectionOptions ReadOptions(const graph::Operator& op) {
  constexpr int32_t kDetectionsPerClass = 100;
  const graph::FlexbufferMap map(op.custom_options);
  DetectionOptions o;
  o.max_detections = map.Int32("max_detections", 0);
  o.max_classes_per_detection = map.Int32("max_classes_per_detection", 0);
  o.detections_per_class = map.Int32("detections_per_class", kDetectionsPerClass);
  o.use_regular_nms = map.Bool("use_regular_nms", false);
  o.score_threshold = map.Float("nms_score_threshold", 0);
  o.iou_threshold = map.Float("nms_iou_threshold", 0);
  o.num_classes = map.Int32("num_classes", 0);
  o.scales = {map.Float("y_scale", 0), map.Float("x_scale", 0), map.Float("h_scale", 0), map.Float("w_scale", 0)};
  if (o.max_detections < 0) throw InputError("custom option max_detections is {}", o.max_detections);
  if (o.num_classes < 1) throw InputError("custom option num_classes is {}, expected at least 1", o.num_classes);
  if (!(o.iou_threshold > 0 && o.iou_threshold <= 1)) {
    throw InputError("custom option nms_iou_threshold is {}, expected a number above 0 and at most 1", o.iou_threshold);
  }
  if (o.max_classes_per_detection < 1) {
    throw InputError("custom option max_classes_per_detection is {}, expected at least 1", o.max_classes_per_detection);
  }
  if (o.use_regular_nms && std::min(o.detections_per_class, o.max_detections) < 1) {
    throw InputError("custom options detections_per_class and max_detections are {} and {}, expected at least 1",
                     o.detections_per_class, o.max_detections);
  }
  return o;
}

struct DetectionGeometry {
  int32_t boxes = 0, box_stride = 0;
  int32_t classes_with_background = 0, label_offset = 0;
};

DetectionGeometry CheckShapes(const PrepareContext& context, const DetectionOptions& o) {
  const TensorRef &encodings = context.Input(0), &predictions = context.Input(1), &anchors = context.Input(2);
  CheckRank(encodings, "box encodings", 3, 3);
  CheckRank(predictions, "class predictions", 3, 3);
  CheckRank(anchors, "anchors", 2, 2);
  if (encodings.shape[0] != 1 || predictions.shape[0] != 1) {
    throw InputError("batches of {} and {}, expected 1", encodings.shape[0], predictions.shape[0]);
  }
  DetectionGeometry g;
  g.boxes = encodings.shape[1];
  g.box_stride = encodings.shape[2];
  g.classes_with_background = predictions.shape[2];
  g.label_offset = g.classes_with_background - o.num_classes;
  if (g.box_stride < 4) throw InputError("box encodings have {} coordinates, expected at least 4", g.box_stride);
  if (predictions.shape[1] != g.boxes) {
    throw InputError("{} boxes but class predictions for {}", g.boxes, predictions.shape[1]);
  }
  if (anchors.shape[0] != g.boxes || anchors.shape[1] != 4) {
    throw InputError("anchors have the shape {}, expected [{},4]", anchors.shape.ToString(), g.boxes);
  }
  if (g.label_offset != 0 && g.label_offset != 1) {
    throw InputError("class predictions have {} classes, expected {} or one more for the background",
                     g.classes_with_background, o.num_classes);
  }
  if (predictions.size() > INT32_MAX) throw InputError("{} class predictions are too many", predictions.size());
  return g;
}

Dequantization QuantizationOf(const TensorRef& tensor, const char* what) {
  if (tensor.dtype != DType::kUInt8) return {};
  CheckPerTensorQuantized(tensor, what);
  return {tensor.scale(), tensor.zero_point()};
}

// Ids of the working memory.
struct Work {
  int boxes = 0, scores = 0, row_scores = 0, order = 0, active = 0, selected = 0, classes = 0;
  int best = 0, added = 0, merged = 0;
};

class DetectionPostprocess {
 public:
  DetectionPostprocess(PrepareContext& context, const DetectionOptions& options, const DetectionGeometry& geometry)
      : o_(options), g_(geometry) {
    encoding_ = QuantizationOf(context.Input(0), "box encodings");
    prediction_ = QuantizationOf(context.Input(1), "class predictions");
    anchor_ = QuantizationOf(context.Input(2), "anchors");
    quantized_boxes_ = context.Input(0).dtype == DType::kUInt8;
    quantized_scores_ = context.Input(1).dtype == DType::kUInt8;
    later_classes_first_ = context.profile().litert_1_0;
    per_class_ = std::min(o_.detections_per_class, o_.max_detections);
    const auto count = static_cast<uint64_t>(g_.boxes);
    const auto detections = static_cast<uint64_t>(o_.max_detections);
    work_.boxes = context.AddScratch(count * sizeof(Box));
    work_.scores = context.AddScratch(
        quantized_scores_ ? count * static_cast<uint64_t>(g_.classes_with_background) * sizeof(float) : 0);
    work_.order = context.AddScratch(count * sizeof(int32_t));
    work_.active = context.AddScratch(count);
    work_.selected = context.AddScratch(count * sizeof(int32_t));
    if (o_.use_regular_nms) {
      work_.best = context.AddScratch(detections * sizeof(Detection));
      work_.added = context.AddScratch(detections * sizeof(Detection));
      work_.merged = context.AddScratch(detections * sizeof(Detection));
    } else {
      work_.row_scores = context.AddScratch(count * sizeof(float));
      work_.classes = context.AddScratch(static_cast<uint64_t>(o_.num_classes) * sizeof(int32_t));
    }
  }

  void operator()(const RunContext& run) const {
    Box* boxes = Memory<Box>(run, work_.boxes);
    if (quantized_boxes_) {
      kernels::ref::DecodeBoxes(g_.boxes, g_.box_stride, o_.scales, run.In<uint8_t>(0).data(), encoding_,
                                run.In<uint8_t>(2).data(), anchor_, boxes);
    } else {
      kernels::ref::DecodeBoxes(g_.boxes, g_.box_stride, o_.scales, run.In<float>(0).data(), encoding_,
                                run.In<float>(2).data(), anchor_, boxes);
    }
    const int32_t bad = kernels::ref::FindInsideOut(g_.boxes, boxes);
    if (bad >= 0) {
      throw InputError("box {} is inside out: y from {} to {}, x from {} to {}", bad, boxes[bad].ymin, boxes[bad].ymax,
                       boxes[bad].xmin, boxes[bad].xmax);
    }
    const float* scores = nullptr;
    if (quantized_scores_) {
      kernels::ref::DequantizeScores(int64_t{g_.boxes} * g_.classes_with_background, run.In<uint8_t>(1).data(),
                                     prediction_, Memory<float>(run, work_.scores));
      scores = Memory<float>(run, work_.scores);
    } else {
      scores = run.In<float>(1).data();
    }
    for (int i = 0; i < 3; ++i) std::ranges::fill(run.Out<float>(i), 0.0F);
    const int32_t found = o_.use_regular_nms ? Regular(run, boxes, scores) : Fast(run, boxes, scores);
    run.Out<float>(3)[0] = static_cast<float>(found);
  }

 private:
  template <typename T>
  static T* Memory(const RunContext& run, int id) {
    return reinterpret_cast<T*>(run.Scratch(id).data());
  }
  kernels::ref::SuppressionWork Suppression(const RunContext& run) const {
    return {Memory<int32_t>(run, work_.order), Memory<uint8_t>(run, work_.active)};
  }
  static void Put(const RunContext& run, int64_t at, const Box& box, int32_t label, float score) {
    reinterpret_cast<Box*>(run.Out<float>(0).data())[at] = box;
    run.Out<float>(1)[static_cast<size_t>(at)] = static_cast<float>(label);
    run.Out<float>(2)[static_cast<size_t>(at)] = score;
  }

  // Every class on its own; then the best of all.
  int32_t Regular(const RunContext& run, const Box* boxes, const float* scores) const {
    auto* best = Memory<Detection>(run, work_.best);
    auto* added = Memory<Detection>(run, work_.added);
    auto* selected = Memory<int32_t>(run, work_.selected);
    int32_t found = 0;
    for (int32_t label = 0; label < o_.num_classes; ++label) {
      run.CheckCancelled();
      const int32_t column = label + g_.label_offset;
      const int32_t count =
          kernels::ref::SuppressOverlaps(g_.boxes, boxes, scores + column, g_.classes_with_background,
                                         o_.score_threshold, o_.iou_threshold, per_class_, Suppression(run), selected);
      for (int32_t i = 0; i < count; ++i) {
        const int32_t index = selected[i] * g_.classes_with_background + column;
        added[i] = {index, scores[index]};
      }
      found = kernels::ref::MergeDetections(best, found, added, count, o_.max_detections, later_classes_first_,
                                            Memory<Detection>(run, work_.merged));
    }
    for (int32_t i = 0; i < found; ++i) {
      const int32_t box = best[i].index / g_.classes_with_background;
      Put(run, i, boxes[box], best[i].index % g_.classes_with_background - g_.label_offset, best[i].score);
    }
    return found;
  }

  // Every box by its best class alone; the next best ones come along.
  int32_t Fast(const RunContext& run, const Box* boxes, const float* scores) const {
    auto* row_scores = Memory<float>(run, work_.row_scores);
    auto* classes = Memory<int32_t>(run, work_.classes);
    auto* selected = Memory<int32_t>(run, work_.selected);
    const int32_t per_box = std::min(o_.max_classes_per_detection, o_.num_classes);
    const auto row = [&](int32_t box) { return scores + int64_t{box} * g_.classes_with_background + g_.label_offset; };
    for (int32_t box = 0; box < g_.boxes; ++box) {
      kernels::ref::LargestFirst(row(box), o_.num_classes, 1, classes);
      row_scores[box] = row(box)[classes[0]];
    }
    run.CheckCancelled();
    const int32_t found =
        kernels::ref::SuppressOverlaps(g_.boxes, boxes, row_scores, 1, o_.score_threshold, o_.iou_threshold,
                                       o_.max_detections, Suppression(run), selected);
    for (int32_t i = 0; i < found; ++i) {
      kernels::ref::LargestFirst(row(selected[i]), o_.num_classes, per_box, classes);
      for (int32_t k = 0; k < per_box; ++k) {
        Put(run, int64_t{i} * o_.max_classes_per_detection + k, boxes[selected[i]], classes[k],
            row(selected[i])[classes[k]]);
      }
    }
    return found;
  }

  DetectionOptions o_;
  DetectionGeometry g_;
  Dequantization encoding_, prediction_, anchor_;
  bool quantized_boxes_ = false, quantized_scores_ = false;
  bool later_classes_first_ = false;  // of equal scores: LiteRT 1.0.1 puts them so
  int32_t per_class_ = 0;
  Work work_;
};

}  // namespace

RunFn PrepareDetectionPostprocess(PrepareContext& context) {
  CheckArity(context, 3, 3, 4);
  const DetectionOptions options = ReadOptions(context.op());
  const DetectionGeometry geometry = CheckShapes(context, options);
  CheckType(context.Input(0), "box encodings", {DType::kFloat32, DType::kUInt8});
  CheckType(context.Input(1), "class predictions", {DType::kFloat32, DType::kUInt8});
  CheckSameType(context.Input(0), "box encodings", context.Input(2), "anchors");
  for (int i = 0; i < 4; ++i) CheckType(context.Output(i), "output", {DType::kFloat32});
  const int64_t rows = int64_t{options.max_detections} * options.max_classes_per_detection;
  if (rows > INT32_MAX) throw InputError("max_detections * max_classes_per_detection is {}", rows);
  context.SetOutputShape(0, {1, static_cast<int32_t>(rows), 4});
  context.SetOutputShape(1, {1, static_cast<int32_t>(rows)});
  context.SetOutputShape(2, {1, static_cast<int32_t>(rows)});
  context.SetOutputShape(3, {1});
  return DetectionPostprocess(context, options, geometry);
}

}  // namespace assay::ops
