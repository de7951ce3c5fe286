// All builtin operators of the .tflite format: the enum's name, the format's name, its id, its table of options (""
// where it has none). The one list behind the schema map, the registry, the documentation and the completeness tests.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

// clang-format off
#define ASSAY_BUILTIN_OPS(X) \
  X(Add, ADD, 0, "AddOptions") \
  X(AveragePool2D, AVERAGE_POOL_2D, 1, "Pool2DOptions") \
  X(Concatenation, CONCATENATION, 2, "ConcatenationOptions") \
  X(Conv2D, CONV_2D, 3, "Conv2DOptions") \
  X(DepthwiseConv2D, DEPTHWISE_CONV_2D, 4, "DepthwiseConv2DOptions") \
  X(DepthToSpace, DEPTH_TO_SPACE, 5, "DepthToSpaceOptions") \
  X(Dequantize, DEQUANTIZE, 6, "DequantizeOptions") \
  X(EmbeddingLookup, EMBEDDING_LOOKUP, 7, "") \
  X(Floor, FLOOR, 8, "") \
  X(FullyConnected, FULLY_CONNECTED, 9, "FullyConnectedOptions") \
  X(HashtableLookup, HASHTABLE_LOOKUP, 10, "") \
  X(L2Normalization, L2_NORMALIZATION, 11, "L2NormOptions") \
  X(L2Pool2D, L2_POOL_2D, 12, "Pool2DOptions") \
  X(LocalResponseNormalization, LOCAL_RESPONSE_NORMALIZATION, 13, "LocalResponseNormalizationOptions") \
  X(Logistic, LOGISTIC, 14, "") \
  X(LshProjection, LSH_PROJECTION, 15, "LSHProjectionOptions") \
  X(Lstm, LSTM, 16, "LSTMOptions") \
  X(MaxPool2D, MAX_POOL_2D, 17, "Pool2DOptions") \
  X(Mul, MUL, 18, "MulOptions") \
  X(Relu, RELU, 19, "") \
  X(ReluN1To1, RELU_N1_TO_1, 20, "") \
  X(Relu6, RELU6, 21, "") \
  X(Reshape, RESHAPE, 22, "ReshapeOptions") \
  X(ResizeBilinear, RESIZE_BILINEAR, 23, "ResizeBilinearOptions") \
  X(Rnn, RNN, 24, "RNNOptions") \
  X(Softmax, SOFTMAX, 25, "SoftmaxOptions") \
  X(SpaceToDepth, SPACE_TO_DEPTH, 26, "SpaceToDepthOptions") \
  X(Svdf, SVDF, 27, "SVDFOptions") \
  X(Tanh, TANH, 28, "") \
  X(ConcatEmbeddings, CONCAT_EMBEDDINGS, 29, "ConcatEmbeddingsOptions") \
  X(SkipGram, SKIP_GRAM, 30, "SkipGramOptions") \
  X(Call, CALL, 31, "CallOptions") \
  X(Custom, CUSTOM, 32, "") \
  X(EmbeddingLookupSparse, EMBEDDING_LOOKUP_SPARSE, 33, "EmbeddingLookupSparseOptions") \
  X(Pad, PAD, 34, "PadOptions") \
  X(UnidirectionalSequenceRnn, UNIDIRECTIONAL_SEQUENCE_RNN, 35, "SequenceRNNOptions") \
  X(Gather, GATHER, 36, "GatherOptions") \
  X(BatchToSpaceNd, BATCH_TO_SPACE_ND, 37, "BatchToSpaceNDOptions") \
  X(SpaceToBatchNd, SPACE_TO_BATCH_ND, 38, "SpaceToBatchNDOptions") \
  X(Transpose, TRANSPOSE, 39, "TransposeOptions") \
  X(Mean, MEAN, 40, "ReducerOptions") \
  X(Sub, SUB, 41, "SubOptions") \
  X(Div, DIV, 42, "DivOptions") \
  X(Squeeze, SQUEEZE, 43, "SqueezeOptions") \
  X(UnidirectionalSequenceLstm, UNIDIRECTIONAL_SEQUENCE_LSTM, 44, "UnidirectionalSequenceLSTMOptions") \
  X(StridedSlice, STRIDED_SLICE, 45, "StridedSliceOptions") \
  X(BidirectionalSequenceRnn, BIDIRECTIONAL_SEQUENCE_RNN, 46, "BidirectionalSequenceRNNOptions") \
  X(Exp, EXP, 47, "ExpOptions") \
  X(TopkV2, TOPK_V2, 48, "TopKV2Options") \
  X(Split, SPLIT, 49, "SplitOptions") \
  X(LogSoftmax, LOG_SOFTMAX, 50, "LogSoftmaxOptions") \
  X(Delegate, DELEGATE, 51, "") \
  X(BidirectionalSequenceLstm, BIDIRECTIONAL_SEQUENCE_LSTM, 52, "BidirectionalSequenceLSTMOptions") \
  X(Cast, CAST, 53, "CastOptions") \
  X(Prelu, PRELU, 54, "") \
  X(Maximum, MAXIMUM, 55, "MaximumMinimumOptions") \
  X(ArgMax, ARG_MAX, 56, "ArgMaxOptions") \
  X(Minimum, MINIMUM, 57, "MaximumMinimumOptions") \
  X(Less, LESS, 58, "LessOptions") \
  X(Neg, NEG, 59, "NegOptions") \
  X(Padv2, PADV2, 60, "PadV2Options") \
  X(Greater, GREATER, 61, "GreaterOptions") \
  X(GreaterEqual, GREATER_EQUAL, 62, "GreaterEqualOptions") \
  X(LessEqual, LESS_EQUAL, 63, "LessEqualOptions") \
  X(Select, SELECT, 64, "SelectOptions") \
  X(Slice, SLICE, 65, "SliceOptions") \
  X(Sin, SIN, 66, "") \
  X(TransposeConv, TRANSPOSE_CONV, 67, "TransposeConvOptions") \
  X(SparseToDense, SPARSE_TO_DENSE, 68, "SparseToDenseOptions") \
  X(Tile, TILE, 69, "TileOptions") \
  X(ExpandDims, EXPAND_DIMS, 70, "ExpandDimsOptions") \
  X(Equal, EQUAL, 71, "EqualOptions") \
  X(NotEqual, NOT_EQUAL, 72, "NotEqualOptions") \
  X(Log, LOG, 73, "") \
  X(Sum, SUM, 74, "ReducerOptions") \
  X(Sqrt, SQRT, 75, "") \
  X(Rsqrt, RSQRT, 76, "") \
  X(Shape, SHAPE, 77, "ShapeOptions") \
  X(Pow, POW, 78, "PowOptions") \
  X(ArgMin, ARG_MIN, 79, "ArgMinOptions") \
  X(FakeQuant, FAKE_QUANT, 80, "FakeQuantOptions") \
  X(ReduceProd, REDUCE_PROD, 81, "ReducerOptions") \
  X(ReduceMax, REDUCE_MAX, 82, "ReducerOptions") \
  X(Pack, PACK, 83, "PackOptions") \
  X(LogicalOr, LOGICAL_OR, 84, "LogicalOrOptions") \
  X(OneHot, ONE_HOT, 85, "OneHotOptions") \
  X(LogicalAnd, LOGICAL_AND, 86, "LogicalAndOptions") \
  X(LogicalNot, LOGICAL_NOT, 87, "LogicalNotOptions") \
  X(Unpack, UNPACK, 88, "UnpackOptions") \
  X(ReduceMin, REDUCE_MIN, 89, "ReducerOptions") \
  X(FloorDiv, FLOOR_DIV, 90, "FloorDivOptions") \
  X(ReduceAny, REDUCE_ANY, 91, "ReducerOptions") \
  X(Square, SQUARE, 92, "SquareOptions") \
  X(ZerosLike, ZEROS_LIKE, 93, "ZerosLikeOptions") \
  X(Fill, FILL, 94, "FillOptions") \
  X(FloorMod, FLOOR_MOD, 95, "FloorModOptions") \
  X(Range, RANGE, 96, "RangeOptions") \
  X(ResizeNearestNeighbor, RESIZE_NEAREST_NEIGHBOR, 97, "ResizeNearestNeighborOptions") \
  X(LeakyRelu, LEAKY_RELU, 98, "LeakyReluOptions") \
  X(SquaredDifference, SQUARED_DIFFERENCE, 99, "SquaredDifferenceOptions") \
  X(MirrorPad, MIRROR_PAD, 100, "MirrorPadOptions") \
  X(Abs, ABS, 101, "AbsOptions") \
  X(SplitV, SPLIT_V, 102, "SplitVOptions") \
  X(Unique, UNIQUE, 103, "UniqueOptions") \
  X(Ceil, CEIL, 104, "") \
  X(ReverseV2, REVERSE_V2, 105, "ReverseV2Options") \
  X(AddN, ADD_N, 106, "AddNOptions") \
  X(GatherNd, GATHER_ND, 107, "GatherNdOptions") \
  X(Cos, COS, 108, "CosOptions") \
  X(Where, WHERE, 109, "WhereOptions") \
  X(Rank, RANK, 110, "RankOptions") \
  X(Elu, ELU, 111, "") \
  X(ReverseSequence, REVERSE_SEQUENCE, 112, "ReverseSequenceOptions") \
  X(MatrixDiag, MATRIX_DIAG, 113, "MatrixDiagOptions") \
  X(Quantize, QUANTIZE, 114, "QuantizeOptions") \
  X(MatrixSetDiag, MATRIX_SET_DIAG, 115, "MatrixSetDiagOptions") \
  X(Round, ROUND, 116, "") \
  X(HardSwish, HARD_SWISH, 117, "HardSwishOptions") \
  X(If, IF, 118, "IfOptions") \
  X(While, WHILE, 119, "WhileOptions") \
  X(NonMaxSuppressionV4, NON_MAX_SUPPRESSION_V4, 120, "NonMaxSuppressionV4Options") \
  X(NonMaxSuppressionV5, NON_MAX_SUPPRESSION_V5, 121, "NonMaxSuppressionV5Options") \
  X(ScatterNd, SCATTER_ND, 122, "ScatterNdOptions") \
  X(SelectV2, SELECT_V2, 123, "SelectV2Options") \
  X(Densify, DENSIFY, 124, "DensifyOptions") \
  X(SegmentSum, SEGMENT_SUM, 125, "SegmentSumOptions") \
  X(BatchMatmul, BATCH_MATMUL, 126, "BatchMatMulOptions") \
  X(PlaceholderForGreaterOpCodes, PLACEHOLDER_FOR_GREATER_OP_CODES, 127, "") \
  X(Cumsum, CUMSUM, 128, "CumsumOptions") \
  X(CallOnce, CALL_ONCE, 129, "CallOnceOptions") \
  X(BroadcastTo, BROADCAST_TO, 130, "BroadcastToOptions") \
  X(Rfft2d, RFFT2D, 131, "Rfft2dOptions") \
  X(Conv3D, CONV_3D, 132, "Conv3DOptions") \
  X(Imag, IMAG, 133, "") \
  X(Real, REAL, 134, "") \
  X(ComplexAbs, COMPLEX_ABS, 135, "") \
  X(Hashtable, HASHTABLE, 136, "HashtableOptions") \
  X(HashtableFind, HASHTABLE_FIND, 137, "HashtableFindOptions") \
  X(HashtableImport, HASHTABLE_IMPORT, 138, "HashtableImportOptions") \
  X(HashtableSize, HASHTABLE_SIZE, 139, "HashtableSizeOptions") \
  X(ReduceAll, REDUCE_ALL, 140, "ReducerOptions") \
  X(Conv3DTranspose, CONV_3D_TRANSPOSE, 141, "Conv3DOptions") \
  X(VarHandle, VAR_HANDLE, 142, "VarHandleOptions") \
  X(ReadVariable, READ_VARIABLE, 143, "ReadVariableOptions") \
  X(AssignVariable, ASSIGN_VARIABLE, 144, "AssignVariableOptions") \
  X(BroadcastArgs, BROADCAST_ARGS, 145, "") \
  X(RandomStandardNormal, RANDOM_STANDARD_NORMAL, 146, "RandomOptions") \
  X(Bucketize, BUCKETIZE, 147, "BucketizeOptions") \
  X(RandomUniform, RANDOM_UNIFORM, 148, "RandomOptions") \
  X(Multinomial, MULTINOMIAL, 149, "RandomOptions") \
  X(Gelu, GELU, 150, "GeluOptions") \
  X(DynamicUpdateSlice, DYNAMIC_UPDATE_SLICE, 151, "DynamicUpdateSliceOptions") \
  X(Relu0To1, RELU_0_TO_1, 152, "") \
  X(UnsortedSegmentProd, UNSORTED_SEGMENT_PROD, 153, "UnsortedSegmentProdOptions") \
  X(UnsortedSegmentMax, UNSORTED_SEGMENT_MAX, 154, "UnsortedSegmentMaxOptions") \
  X(UnsortedSegmentSum, UNSORTED_SEGMENT_SUM, 155, "UnsortedSegmentSumOptions") \
  X(Atan2, ATAN2, 156, "ATan2Options") \
  X(UnsortedSegmentMin, UNSORTED_SEGMENT_MIN, 157, "UnsortedSegmentMinOptions") \
  X(Sign, SIGN, 158, "SignOptions") \
  X(Bitcast, BITCAST, 159, "BitcastOptions") \
  X(BitwiseXor, BITWISE_XOR, 160, "BitwiseXorOptions") \
  X(RightShift, RIGHT_SHIFT, 161, "RightShiftOptions") \
  X(StablehloLogistic, STABLEHLO_LOGISTIC, 162, "") \
  X(StablehloAdd, STABLEHLO_ADD, 163, "") \
  X(StablehloDivide, STABLEHLO_DIVIDE, 164, "") \
  X(StablehloMultiply, STABLEHLO_MULTIPLY, 165, "") \
  X(StablehloMaximum, STABLEHLO_MAXIMUM, 166, "") \
  X(StablehloReshape, STABLEHLO_RESHAPE, 167, "") \
  X(StablehloClamp, STABLEHLO_CLAMP, 168, "") \
  X(StablehloConcatenate, STABLEHLO_CONCATENATE, 169, "StablehloConcatenateOptions") \
  X(StablehloBroadcastInDim, STABLEHLO_BROADCAST_IN_DIM, 170, "StablehloBroadcastInDimOptions") \
  X(StablehloConvolution, STABLEHLO_CONVOLUTION, 171, "StablehloConvolutionOptions") \
  X(StablehloSlice, STABLEHLO_SLICE, 172, "StablehloSliceOptions") \
  X(StablehloCustomCall, STABLEHLO_CUSTOM_CALL, 173, "StablehloCustomCallOptions") \
  X(StablehloReduce, STABLEHLO_REDUCE, 174, "StablehloReduceOptions") \
  X(StablehloAbs, STABLEHLO_ABS, 175, "") \
  X(StablehloAnd, STABLEHLO_AND, 176, "") \
  X(StablehloCosine, STABLEHLO_COSINE, 177, "") \
  X(StablehloExponential, STABLEHLO_EXPONENTIAL, 178, "") \
  X(StablehloFloor, STABLEHLO_FLOOR, 179, "") \
  X(StablehloLog, STABLEHLO_LOG, 180, "") \
  X(StablehloMinimum, STABLEHLO_MINIMUM, 181, "") \
  X(StablehloNegate, STABLEHLO_NEGATE, 182, "") \
  X(StablehloOr, STABLEHLO_OR, 183, "") \
  X(StablehloPower, STABLEHLO_POWER, 184, "") \
  X(StablehloRemainder, STABLEHLO_REMAINDER, 185, "") \
  X(StablehloRsqrt, STABLEHLO_RSQRT, 186, "") \
  X(StablehloSelect, STABLEHLO_SELECT, 187, "") \
  X(StablehloSubtract, STABLEHLO_SUBTRACT, 188, "") \
  X(StablehloTanh, STABLEHLO_TANH, 189, "") \
  X(StablehloScatter, STABLEHLO_SCATTER, 190, "StablehloScatterOptions") \
  X(StablehloCompare, STABLEHLO_COMPARE, 191, "StablehloCompareOptions") \
  X(StablehloConvert, STABLEHLO_CONVERT, 192, "") \
  X(StablehloDynamicSlice, STABLEHLO_DYNAMIC_SLICE, 193, "StablehloDynamicSliceOptions") \
  X(StablehloDynamicUpdateSlice, STABLEHLO_DYNAMIC_UPDATE_SLICE, 194, "") \
  X(StablehloPad, STABLEHLO_PAD, 195, "StablehloPadOptions") \
  X(StablehloIota, STABLEHLO_IOTA, 196, "StablehloIotaOptions") \
  X(StablehloDotGeneral, STABLEHLO_DOT_GENERAL, 197, "StablehloDotGeneralOptions") \
  X(StablehloReduceWindow, STABLEHLO_REDUCE_WINDOW, 198, "StablehloReduceWindowOptions") \
  X(StablehloSort, STABLEHLO_SORT, 199, "StablehloSortOptions") \
  X(StablehloWhile, STABLEHLO_WHILE, 200, "StablehloWhileOptions") \
  X(StablehloGather, STABLEHLO_GATHER, 201, "StablehloGatherOptions") \
  X(StablehloTranspose, STABLEHLO_TRANSPOSE, 202, "StablehloTransposeOptions") \
  X(Dilate, DILATE, 203, "DilateOptions") \
  X(StablehloRngBitGenerator, STABLEHLO_RNG_BIT_GENERATOR, 204, "StablehloRngBitGeneratorOptions") \
  X(ReduceWindow, REDUCE_WINDOW, 205, "ReduceWindowOptions") \
  X(StablehloComposite, STABLEHLO_COMPOSITE, 206, "StableHLOCompositeOptions") \
  X(StablehloShiftLeft, STABLEHLO_SHIFT_LEFT, 207, "StablehloShiftLeftOptions") \
  X(StablehloCbrt, STABLEHLO_CBRT, 208, "") \
  X(StablehloCase, STABLEHLO_CASE, 209, "StablehloCaseOptions")
// clang-format on

namespace assay::graph {

enum class BuiltinOp : int32_t {
#define ASSAY_ENUM(name, format_name, id, options) k##name = id,
  ASSAY_BUILTIN_OPS(ASSAY_ENUM)
#undef ASSAY_ENUM
};

struct BuiltinOpFacts {
  BuiltinOp op;
  std::string_view name;     // as in the schema: "CONV_2D"
  std::string_view options;  // the schema's table: "Conv2DOptions"; "" where the op has none
};

std::span<const BuiltinOpFacts> AllBuiltinOps();       // ordered by id, without gaps
std::string_view BuiltinOpName(BuiltinOp op);          // "CONV_2D"; "UNKNOWN" for an id outside the list
std::string_view BuiltinOpOptionsTable(BuiltinOp op);  // "Conv2DOptions"
std::optional<BuiltinOp> BuiltinOpFromName(std::string_view name);

}  // namespace assay::graph
