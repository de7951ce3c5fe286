// Declarations of every op's entry points; each pair is defined in the file named after the op or its family.
#pragma once

#include "ops/op.h"

namespace assay::ops {

// ---- matrix ops
RunFn PrepareConv2D(PrepareContext& context);
bool XnnpackTakesConv2D(const PrepareContext& context);
RunFn PrepareDepthwiseConv2D(PrepareContext& context);
bool XnnpackTakesDepthwiseConv2D(const PrepareContext& context);
RunFn PrepareBatchMatMul(PrepareContext& context);
bool XnnpackTakesBatchMatMul(const PrepareContext& context);
RunFn PrepareTransposeConv(PrepareContext& context);
bool XnnpackTakesTransposeConv(const PrepareContext& context);
RunFn PrepareConv3D(PrepareContext& context);
RunFn PrepareEmbeddingLookup(PrepareContext& context);
RunFn PrepareFullyConnected(PrepareContext& context);
bool XnnpackTakesFullyConnected(const PrepareContext& context);

// ---- elementwise, binary
RunFn PrepareAdd(PrepareContext& context);
RunFn PrepareSub(PrepareContext& context);
RunFn PrepareMul(PrepareContext& context);
RunFn PrepareAtan2(PrepareContext& context);
RunFn PrepareAddN(PrepareContext& context);
RunFn PrepareBitwiseXor(PrepareContext& context);
RunFn PrepareDiv(PrepareContext& context);
RunFn PrepareEqual(PrepareContext& context);
RunFn PrepareFloorDiv(PrepareContext& context);
RunFn PrepareFloorMod(PrepareContext& context);
RunFn PrepareGreater(PrepareContext& context);
RunFn PrepareGreaterEqual(PrepareContext& context);
RunFn PrepareLess(PrepareContext& context);
RunFn PrepareLessEqual(PrepareContext& context);
RunFn PrepareLogicalAnd(PrepareContext& context);
RunFn PrepareLogicalOr(PrepareContext& context);
RunFn PrepareMaximum(PrepareContext& context);
RunFn PrepareMinimum(PrepareContext& context);
RunFn PrepareNotEqual(PrepareContext& context);
RunFn PreparePow(PrepareContext& context);
RunFn PreparePrelu(PrepareContext& context);
RunFn PrepareRightShift(PrepareContext& context);
RunFn PrepareSelect(PrepareContext& context);
RunFn PrepareSelectV2(PrepareContext& context);
RunFn PrepareSquaredDifference(PrepareContext& context);
bool XnnpackTakesAdd(const PrepareContext& context);  // and SUB
bool XnnpackTakesFloatBinary(const PrepareContext& context);
bool XnnpackTakesPrelu(const PrepareContext& context);
bool XnnpackTakesMul(const PrepareContext& context);

// ---- elementwise, unary; quantize, dequantize, cast; softmax
RunFn PrepareRelu(PrepareContext& context);
RunFn PrepareRelu6(PrepareContext& context);
RunFn PrepareReluN1To1(PrepareContext& context);
RunFn PrepareRelu0To1(PrepareContext& context);
RunFn PrepareLogistic(PrepareContext& context);
RunFn PrepareTanh(PrepareContext& context);
RunFn PrepareElu(PrepareContext& context);
RunFn PrepareGelu(PrepareContext& context);
RunFn PrepareHardSwish(PrepareContext& context);
RunFn PrepareLeakyRelu(PrepareContext& context);
bool XnnpackTakesFloatUnary(const PrepareContext& context);  // whatever maps float32 to float32
bool XnnpackTakesSigmoid(const PrepareContext& context);     // LOGISTIC, TANH
bool XnnpackTakesElu(const PrepareContext& context);
bool XnnpackTakesLeakyRelu(const PrepareContext& context);
RunFn PrepareQuantize(PrepareContext& context);
RunFn PrepareDequantize(PrepareContext& context);
bool XnnpackTakesQuantize(const PrepareContext& context);
bool XnnpackTakesDequantize(const PrepareContext& context);
RunFn PrepareAbs(PrepareContext& context);
RunFn PrepareCast(PrepareContext& context);
RunFn PrepareCeil(PrepareContext& context);
RunFn PrepareCos(PrepareContext& context);
RunFn PrepareExp(PrepareContext& context);
RunFn PrepareFloor(PrepareContext& context);
RunFn PrepareLog(PrepareContext& context);
RunFn PrepareLogicalNot(PrepareContext& context);
RunFn PrepareNeg(PrepareContext& context);
RunFn PrepareRound(PrepareContext& context);
RunFn PrepareRsqrt(PrepareContext& context);
RunFn PrepareSign(PrepareContext& context);
RunFn PrepareSin(PrepareContext& context);
RunFn PrepareSqrt(PrepareContext& context);
RunFn PrepareSquare(PrepareContext& context);
RunFn PrepareZerosLike(PrepareContext& context);
RunFn PrepareSoftmax(PrepareContext& context);
RunFn PrepareLogSoftmax(PrepareContext& context);
bool XnnpackTakesSoftmax(const PrepareContext& context);

// ---- data movement
RunFn PrepareReshape(PrepareContext& context);
bool XnnpackTakesReshape(const PrepareContext& context);
RunFn PrepareSqueeze(PrepareContext& context);
RunFn PrepareExpandDims(PrepareContext& context);
RunFn PrepareBitcast(PrepareContext& context);
RunFn PrepareShape(PrepareContext& context);
RunFn PrepareRank(PrepareContext& context);
RunFn PrepareBroadcastArgs(PrepareContext& context);
RunFn PreparePad(PrepareContext& context);
bool XnnpackTakesPad(const PrepareContext& context);
RunFn PrepareMirrorPad(PrepareContext& context);
RunFn PrepareConcatenation(PrepareContext& context);
bool XnnpackTakesConcatenation(const PrepareContext& context);
RunFn PreparePack(PrepareContext& context);
RunFn PrepareUnpack(PrepareContext& context);
RunFn PrepareSplit(PrepareContext& context);
bool XnnpackTakesSplit(const PrepareContext& context);
RunFn PrepareSplitV(PrepareContext& context);
RunFn PrepareStridedSlice(PrepareContext& context);
bool XnnpackTakesStridedSlice(const PrepareContext& context);
RunFn PrepareSlice(PrepareContext& context);
bool XnnpackTakesSlice(const PrepareContext& context);
RunFn PrepareDynamicUpdateSlice(PrepareContext& context);
RunFn PrepareTranspose(PrepareContext& context);
bool XnnpackTakesTranspose(const PrepareContext& context);
RunFn PrepareReverseV2(PrepareContext& context);
RunFn PrepareReverseSequence(PrepareContext& context);
RunFn PrepareBroadcastTo(PrepareContext& context);
RunFn PrepareTile(PrepareContext& context);
RunFn PrepareFill(PrepareContext& context);
RunFn PrepareSpaceToDepth(PrepareContext& context);
bool XnnpackTakesSpaceToDepth(const PrepareContext& context);
RunFn PrepareDepthToSpace(PrepareContext& context);
RunFn PrepareSpaceToBatchNd(PrepareContext& context);
RunFn PrepareBatchToSpaceNd(PrepareContext& context);
RunFn PrepareGather(PrepareContext& context);
RunFn PrepareGatherNd(PrepareContext& context);
RunFn PrepareScatterNd(PrepareContext& context);
RunFn PrepareTopkV2(PrepareContext& context);
RunFn PrepareCumsum(PrepareContext& context);
RunFn PrepareOneHot(PrepareContext& context);
RunFn PrepareWhere(PrepareContext& context);
RunFn PrepareUnique(PrepareContext& context);
RunFn PrepareSparseToDense(PrepareContext& context);
RunFn PrepareDensify(PrepareContext& context);
RunFn PrepareMatrixDiag(PrepareContext& context);
RunFn PrepareMatrixSetDiag(PrepareContext& context);
RunFn PrepareRange(PrepareContext& context);
RunFn PrepareRfft2d(PrepareContext& context);
RunFn PrepareReal(PrepareContext& context);
RunFn PrepareImag(PrepareContext& context);
RunFn PrepareComplexAbs(PrepareContext& context);

// ---- pooling, reductions, resizing, detection
RunFn PrepareAveragePool2D(PrepareContext& context);
RunFn PrepareMaxPool2D(PrepareContext& context);
RunFn PrepareL2Pool2D(PrepareContext& context);
bool XnnpackTakesAveragePool2D(const PrepareContext& context);
bool XnnpackTakesMaxPool2D(const PrepareContext& context);
RunFn PrepareMean(PrepareContext& context);
RunFn PrepareSum(PrepareContext& context);
RunFn PrepareReduceProd(PrepareContext& context);
RunFn PrepareReduceMax(PrepareContext& context);
RunFn PrepareReduceMin(PrepareContext& context);
RunFn PrepareReduceAny(PrepareContext& context);
RunFn PrepareReduceAll(PrepareContext& context);
bool XnnpackTakesReduce(const PrepareContext& context);
RunFn PrepareArgMax(PrepareContext& context);
RunFn PrepareArgMin(PrepareContext& context);
RunFn PrepareResizeBilinear(PrepareContext& context);
bool XnnpackTakesResizeBilinear(const PrepareContext& context);
RunFn PrepareResizeNearestNeighbor(PrepareContext& context);
RunFn PrepareL2Normalization(PrepareContext& context);
RunFn PrepareLocalResponseNormalization(PrepareContext& context);
RunFn PrepareNonMaxSuppressionV4(PrepareContext& context);
RunFn PrepareNonMaxSuppressionV5(PrepareContext& context);
RunFn PrepareDetectionPostprocess(PrepareContext& context);
RunFn PrepareSegmentSum(PrepareContext& context);
RunFn PrepareUnsortedSegmentSum(PrepareContext& context);
RunFn PrepareUnsortedSegmentProd(PrepareContext& context);
RunFn PrepareUnsortedSegmentMax(PrepareContext& context);
RunFn PrepareUnsortedSegmentMin(PrepareContext& context);

// ---- control flow, variables, recurrent
RunFn PrepareIf(PrepareContext& context);
RunFn PrepareWhile(PrepareContext& context);
RunFn PrepareCallOnce(PrepareContext& context);
RunFn PrepareStablehloComposite(PrepareContext& context);
RunFn PrepareVarHandle(PrepareContext& context);
RunFn PrepareReadVariable(PrepareContext& context);
RunFn PrepareAssignVariable(PrepareContext& context);
RunFn PrepareUnidirectionalSequenceLstm(PrepareContext& context);
RunFn PrepareLstm(PrepareContext& context);
RunFn PrepareBidirectionalSequenceLstm(PrepareContext& context);
RunFn PrepareSvdf(PrepareContext& context);

}  // namespace assay::ops
