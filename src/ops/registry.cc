#include "ops/registry.h"

#include "ops/ops.h"

namespace assay::ops {
namespace {

using Op = graph::BuiltinOp;

// clang-format off
constexpr OpRow kRows[] = {
    // ---- matrix ops -------------------------------------------------------------------------------------------------
    {Op::kConv2D, "", PrepareConv2D, XnnpackTakesConv2D, 8, "float32 int8 uint8 int16x8 hybrid int4-weights"},
    {Op::kFullyConnected, "", PrepareFullyConnected, XnnpackTakesFullyConnected, 14,
     "float32 int8 uint8 int16x8 hybrid int4-weights"},
    {Op::kBatchMatmul, "", PrepareBatchMatMul, XnnpackTakesBatchMatMul, 5, "float32 int8 int16 int16x8 hybrid"},
    {Op::kTransposeConv, "", PrepareTransposeConv, XnnpackTakesTransposeConv, 5, "float32 int8 uint8 int16x8 hybrid"},
    {Op::kConv3D, "", PrepareConv3D, nullptr, 1, "float32"},
    {Op::kEmbeddingLookup, "", PrepareEmbeddingLookup, nullptr, 4,
     "any fixed-size type; int8 uint8 int4 to float32"},
    {Op::kDepthwiseConv2D, "", PrepareDepthwiseConv2D, XnnpackTakesDepthwiseConv2D, 7,
     "float32 int8 uint8 int16x8 hybrid int4-weights"},


    // ---- elementwise, binary ----------------------------------------------------------------------------------------
    {Op::kAdd, "", PrepareAdd, XnnpackTakesAdd, 5, "float32 int8 uint8 int16 int32 int64"},
    {Op::kAddN, "", PrepareAddN, nullptr, 1, "float32 int32"},
    {Op::kAtan2, "", PrepareAtan2, nullptr, 1, "float32 float64"},
    {Op::kBitwiseXor, "", PrepareBitwiseXor, nullptr, 1, "int8 uint8 int16 uint16 int32 uint32"},
    {Op::kDiv, "", PrepareDiv, XnnpackTakesFloatBinary, 2, "float32 int8 uint8 int16 int32"},
    {Op::kEqual, "", PrepareEqual, nullptr, 5, "bool float32 int8 uint8 int16 int32 int64"},
    {Op::kFloorDiv, "", PrepareFloorDiv, nullptr, 3, "float32 int8 int16 int32"},
    {Op::kFloorMod, "", PrepareFloorMod, nullptr, 2, "float32 int8 int16 int32 int64"},
    {Op::kGreater, "", PrepareGreater, nullptr, 2, "float32 int8 uint8 int16 int32 int64"},
    {Op::kGreaterEqual, "", PrepareGreaterEqual, nullptr, 3, "float32 int8 uint8 int16 int32 int64"},
    {Op::kLess, "", PrepareLess, nullptr, 3, "float32 int8 uint8 int16 int32 int64"},
    {Op::kLessEqual, "", PrepareLessEqual, nullptr, 2, "float32 int8 uint8 int16 int32 int64"},
    {Op::kLogicalAnd, "", PrepareLogicalAnd, nullptr, 1, "bool"},
    {Op::kLogicalOr, "", PrepareLogicalOr, nullptr, 1, "bool"},
    {Op::kMaximum, "", PrepareMaximum, XnnpackTakesFloatBinary, 4, "float32 int8 uint8 int16 int32 int64"},
    {Op::kMinimum, "", PrepareMinimum, XnnpackTakesFloatBinary, 4, "float32 int8 uint8 int16 int32 int64"},
    {Op::kMul, "", PrepareMul, XnnpackTakesMul, 7, "float32 int8 uint8 int16 int32 int64"},
    {Op::kNotEqual, "", PrepareNotEqual, nullptr, 4, "bool float32 int8 uint8 int16 int32 int64"},
    {Op::kPow, "", PreparePow, nullptr, 1, "float32 int32"},
    {Op::kPrelu, "", PreparePrelu, XnnpackTakesPrelu, 1, "float32 int8 uint8"},
    {Op::kRightShift, "", PrepareRightShift, nullptr, 1, "int8 uint8 int16 uint16 int32 uint32"},
    {Op::kSelect, "", PrepareSelect, nullptr, 4, "every type of 1, 2, 4 or 8 bytes"},
    {Op::kSelectV2, "", PrepareSelectV2, nullptr, 2, "every type of 1, 2, 4 or 8 bytes"},
    {Op::kSquaredDifference, "", PrepareSquaredDifference, XnnpackTakesFloatBinary, 2, "float32 int8 int32"},
    {Op::kSub, "", PrepareSub, XnnpackTakesAdd, 5, "float32 int8 uint8 int16 int32 int64"},


    // ---- elementwise, unary; quantize, dequantize, cast; softmax ----------------------------------------------------
    {Op::kAbs, "", PrepareAbs, XnnpackTakesFloatUnary, 5, "float32 int8 int16 int32"},
    {Op::kCast, "", PrepareCast, nullptr, 8, "every type but strings"},
    {Op::kCeil, "", PrepareCeil, XnnpackTakesFloatUnary, 1, "float32"},
    {Op::kCos, "", PrepareCos, XnnpackTakesFloatUnary, 1, "float32"},
    {Op::kDequantize, "", PrepareDequantize, XnnpackTakesDequantize, 8, "int8 uint8 int16 uint16 int4 uint4 int2 float16"},
    {Op::kElu, "", PrepareElu, XnnpackTakesElu, 1, "float32 int8"},
    {Op::kExp, "", PrepareExp, XnnpackTakesFloatUnary, 2, "float32 int8 int16"},
    {Op::kFloor, "", PrepareFloor, XnnpackTakesFloatUnary, 1, "float32"},
    {Op::kGelu, "", PrepareGelu, XnnpackTakesFloatUnary, 2, "float32 int8 uint8"},
    {Op::kHardSwish, "", PrepareHardSwish, XnnpackTakesFloatUnary, 1, "float32 int8 uint8"},
    {Op::kLeakyRelu, "", PrepareLeakyRelu, XnnpackTakesLeakyRelu, 2, "float32 int8 uint8 int16"},
    {Op::kLog, "", PrepareLog, XnnpackTakesFloatUnary, 2, "float32 int8 int16"},
    {Op::kLogSoftmax, "", PrepareLogSoftmax, nullptr, 2, "float32 int8 uint8"},
    {Op::kLogicalNot, "", PrepareLogicalNot, nullptr, 1, "bool"},
    {Op::kLogistic, "", PrepareLogistic, XnnpackTakesSigmoid, 3, "float32 int8 uint8 int16"},
    {Op::kNeg, "", PrepareNeg, XnnpackTakesFloatUnary, 1, "float32 int16 int32 int64"},
    {Op::kQuantize, "", PrepareQuantize, XnnpackTakesQuantize, 5, "float32 int8 uint8 int16 int32 int4"},
    {Op::kRelu, "", PrepareRelu, XnnpackTakesFloatUnary, 3, "float32 int8 uint8 int16"},
    {Op::kRelu0To1, "", PrepareRelu0To1, nullptr, 1, "float32 int8 uint8 int16"},
    {Op::kRelu6, "", PrepareRelu6, XnnpackTakesFloatUnary, 3, "float32 int8 uint8 int16"},
    {Op::kReluN1To1, "", PrepareReluN1To1, XnnpackTakesFloatUnary, 1, "float32 int8 uint8 int16"},
    {Op::kRound, "", PrepareRound, XnnpackTakesFloatUnary, 1, "float32"},
    {Op::kRsqrt, "", PrepareRsqrt, XnnpackTakesFloatUnary, 3, "float32 int8 int16"},
    {Op::kSign, "", PrepareSign, nullptr, 2, "float32 float64 int32"},
    {Op::kSin, "", PrepareSin, XnnpackTakesFloatUnary, 1, "float32"},
    {Op::kSoftmax, "", PrepareSoftmax, XnnpackTakesSoftmax, 3, "float32 int8 uint8 int16"},
    {Op::kSqrt, "", PrepareSqrt, XnnpackTakesFloatUnary, 2, "float32 int8 int16"},
    {Op::kSquare, "", PrepareSquare, XnnpackTakesFloatUnary, 1, "float32"},
    {Op::kTanh, "", PrepareTanh, XnnpackTakesSigmoid, 3, "float32 int8 uint8 int16"},
    {Op::kZerosLike, "", PrepareZerosLike, nullptr, 1, "float32 int32 int64"},


    // ---- data movement ----------------------------------------------------------------------------------------------
    {Op::kReshape, "", PrepareReshape, XnnpackTakesReshape, 1, "all but string"},
    {Op::kSqueeze, "", PrepareSqueeze, nullptr, 2, "all but string"},
    {Op::kExpandDims, "", PrepareExpandDims, nullptr, 1, "all but string"},
    {Op::kBitcast, "", PrepareBitcast, nullptr, 1, "all but string"},
    {Op::kShape, "", PrepareShape, nullptr, 1, "any, to int32 int64"},
    {Op::kRank, "", PrepareRank, nullptr, 1, "any, to int32"},
    {Op::kBroadcastArgs, "", PrepareBroadcastArgs, nullptr, 1, "int32 int64"},
    {Op::kPad, "", PreparePad, XnnpackTakesPad, 5, "all but string"},
    {Op::kPadv2, "", PreparePad, nullptr, 5, "all but string"},
    {Op::kMirrorPad, "", PrepareMirrorPad, nullptr, 3, "all but string"},
    {Op::kConcatenation, "", PrepareConcatenation, XnnpackTakesConcatenation, 5, "all but string"},
    {Op::kPack, "", PreparePack, nullptr, 4, "all but string"},
    {Op::kUnpack, "", PrepareUnpack, nullptr, 4, "all but string"},
    {Op::kSplit, "", PrepareSplit, XnnpackTakesSplit, 4, "all but string"},
    {Op::kSplitV, "", PrepareSplitV, nullptr, 2, "all but string"},
    {Op::kStridedSlice, "", PrepareStridedSlice, XnnpackTakesStridedSlice, 8, "all but string"},
    {Op::kSlice, "", PrepareSlice, XnnpackTakesSlice, 7, "all but string"},
    {Op::kDynamicUpdateSlice, "", PrepareDynamicUpdateSlice, nullptr, 5, "all but string"},
    {Op::kTranspose, "", PrepareTranspose, XnnpackTakesTranspose, 7, "all but string"},
    {Op::kReverseV2, "", PrepareReverseV2, nullptr, 3, "all but string"},
    {Op::kReverseSequence, "", PrepareReverseSequence, nullptr, 1, "all but string"},
    {Op::kBroadcastTo, "", PrepareBroadcastTo, nullptr, 3, "all but string"},
    {Op::kTile, "", PrepareTile, nullptr, 3, "all but string"},
    {Op::kFill, "", PrepareFill, nullptr, 4, "all but string"},
    {Op::kSpaceToDepth, "", PrepareSpaceToDepth, XnnpackTakesSpaceToDepth, 2, "all but string"},
    {Op::kDepthToSpace, "", PrepareDepthToSpace, XnnpackTakesSpaceToDepth, 2, "all but string"},
    {Op::kSpaceToBatchNd, "", PrepareSpaceToBatchNd, nullptr, 4, "all but string"},
    {Op::kBatchToSpaceNd, "", PrepareBatchToSpaceNd, nullptr, 4, "all but string"},
    {Op::kGather, "", PrepareGather, nullptr, 7, "all but string"},
    {Op::kGatherNd, "", PrepareGatherNd, nullptr, 5, "all but string"},
    {Op::kScatterNd, "", PrepareScatterNd, nullptr, 1, "float32 int8 uint8 int16 int32 int64 bool"},
    {Op::kTopkV2, "", PrepareTopkV2, nullptr, 3, "float32 int8 uint8 int16 int32 int64"},
    {Op::kCumsum, "", PrepareCumsum, nullptr, 1, "float32 int32 int64"},
    {Op::kOneHot, "", PrepareOneHot, nullptr, 1, "all but string"},
    {Op::kWhere, "", PrepareWhere, nullptr, 2, "float32 int8 uint8 int32 uint32 int64 bool"},
    {Op::kUnique, "", PrepareUnique, nullptr, 1, "float32 int8 uint8 int16 int32 int64"},
    {Op::kSparseToDense, "", PrepareSparseToDense, nullptr, 3, "all but string"},
    {Op::kDensify, "", PrepareDensify, nullptr, 1, "all of 8 bits and more"},
    {Op::kMatrixDiag, "", PrepareMatrixDiag, nullptr, 1, "all but string"},
    {Op::kMatrixSetDiag, "", PrepareMatrixSetDiag, nullptr, 1, "all but string"},
    {Op::kRange, "", PrepareRange, nullptr, 1, "float32 int32 int64"},
    {Op::kRfft2d, "", PrepareRfft2d, nullptr, 1, "float32 to complex64"},
    {Op::kReal, "", PrepareReal, nullptr, 1, "complex64 complex128"},
    {Op::kImag, "", PrepareImag, nullptr, 1, "complex64 complex128"},
    {Op::kComplexAbs, "", PrepareComplexAbs, nullptr, 1, "complex64 complex128"},


    // ---- pooling, reductions, resizing, detection -------------------------------------------------------------------
    {Op::kAveragePool2D, "", PrepareAveragePool2D, XnnpackTakesAveragePool2D, 3, "float32 int8 uint8 int16"},
    {Op::kMaxPool2D, "", PrepareMaxPool2D, XnnpackTakesMaxPool2D, 3, "float32 int8 uint8 int16"},
    {Op::kL2Pool2D, "", PrepareL2Pool2D, nullptr, 1, "float32"},
    {Op::kMean, "", PrepareMean, XnnpackTakesReduce, 3, "float32 int8 uint8 int16 int32 int64"},
    {Op::kSum, "", PrepareSum, XnnpackTakesReduce, 2, "float32 int8 uint8 int16 int32 int64"},
    {Op::kReduceProd, "", PrepareReduceProd, nullptr, 2, "float32 int8 uint8 int16 int32 int64"},
    {Op::kReduceMax, "", PrepareReduceMax, XnnpackTakesReduce, 3, "float32 int8 uint8 int16 int32 int64"},
    {Op::kReduceMin, "", PrepareReduceMin, XnnpackTakesReduce, 3, "float32 int8 uint8 int16 int32 int64"},
    {Op::kReduceAny, "", PrepareReduceAny, nullptr, 1, "bool"},
    {Op::kReduceAll, "", PrepareReduceAll, nullptr, 1, "bool"},
    {Op::kArgMax, "", PrepareArgMax, nullptr, 3, "float32 int8 uint8 int32 bool"},
    {Op::kArgMin, "", PrepareArgMin, nullptr, 3, "float32 int8 uint8 int32 bool"},
    {Op::kResizeBilinear, "", PrepareResizeBilinear, XnnpackTakesResizeBilinear, 4, "float32 int8 uint8 int16"},
    {Op::kResizeNearestNeighbor, "", PrepareResizeNearestNeighbor, nullptr, 4, "float32 int8 uint8 int16"},
    {Op::kL2Normalization, "", PrepareL2Normalization, nullptr, 2, "float32 int8 uint8"},
    {Op::kLocalResponseNormalization, "", PrepareLocalResponseNormalization, nullptr, 1, "float32"},
    {Op::kNonMaxSuppressionV4, "", PrepareNonMaxSuppressionV4, nullptr, 1, "float32"},
    {Op::kNonMaxSuppressionV5, "", PrepareNonMaxSuppressionV5, nullptr, 1, "float32"},
    {Op::kCustom, "TFLite_Detection_PostProcess", PrepareDetectionPostprocess, nullptr, 1, "float32 uint8"},
    {Op::kSegmentSum, "", PrepareSegmentSum, nullptr, 1, "float32 int32"},
    {Op::kUnsortedSegmentSum, "", PrepareUnsortedSegmentSum, nullptr, 1, "float32 int32"},
    {Op::kUnsortedSegmentProd, "", PrepareUnsortedSegmentProd, nullptr, 1, "float32 int32"},
    {Op::kUnsortedSegmentMax, "", PrepareUnsortedSegmentMax, nullptr, 1, "float32 int32"},
    {Op::kUnsortedSegmentMin, "", PrepareUnsortedSegmentMin, nullptr, 1, "float32 int32"},


    // ---- control flow, variables, recurrent -------------------------------------------------------------------------
    {Op::kIf, "", PrepareIf, nullptr, 1, "any"},
    {Op::kWhile, "", PrepareWhile, nullptr, 1, "any"},
    {Op::kCallOnce, "", PrepareCallOnce, nullptr, 1, "any"},
    {Op::kStablehloComposite, "", PrepareStablehloComposite, nullptr, 1, "any"},
    {Op::kVarHandle, "", PrepareVarHandle, nullptr, 1, "any"},
    {Op::kReadVariable, "", PrepareReadVariable, nullptr, 1, "any"},
    {Op::kAssignVariable, "", PrepareAssignVariable, nullptr, 1, "any"},
    {Op::kUnidirectionalSequenceLstm, "", PrepareUnidirectionalSequenceLstm, nullptr, 4, "float32 int8 hybrid"},
    {Op::kLstm, "", PrepareLstm, nullptr, 4, "float32 int8 hybrid"},
    {Op::kBidirectionalSequenceLstm, "", PrepareBidirectionalSequenceLstm, nullptr, 3, "float32 hybrid"},
    {Op::kSvdf, "", PrepareSvdf, nullptr, 4, "float32 int8 hybrid"},


};
// clang-format on

}  // namespace

std::span<const OpRow> AllOpRows() { return kRows; }

const OpRow* FindOpRow(const graph::Operator& op) {
  for (const OpRow& row : kRows) {
    if (row.op == op.code && (op.code != Op::kCustom || row.custom_name == op.custom_code)) return &row;
  }
  return nullptr;
}

}  // namespace assay::ops
