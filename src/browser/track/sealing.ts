// Everything that needs age, in one piece of its own: loaded when somebody opens their receipt.
export { areOwnRecipients, deriveReceipt } from '../../sealing/receipt-keys.ts'
export { openMessage, openMessagePhoto, sealMessage, sealMessagePhoto } from '../../sealing/message.ts'
